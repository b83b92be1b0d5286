//! Values that come back are written over, whatever their form and wherever the stream is cut.

use std::sync::Arc;

use openmiosa_credential::{Echo, Secret};
use openmiosa_testkit::Canary;
use proptest::prelude::*;

fn echo(values: &[&str]) -> Arc<Echo> {
    let secrets: Vec<Secret> = values.iter().map(|value| Secret::new(value.as_bytes().to_vec())).collect();
    Arc::new(Echo::new(&secrets).expect("values that are long enough"))
}

fn streamed(echo: &Arc<Echo>, chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut stream = echo.stream();
    let mut out: Vec<u8> = chunks.into_iter().flat_map(|chunk| stream.feed(chunk.as_ref())).collect();
    out.extend(stream.finish());
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn r_03_each_of_the_thirteen_encodings_is_written_over_at_its_own_length() {
    let canary = Canary::new();
    let echo = echo(&[canary.value()]);
    for (name, form) in canary.forms() {
        let body = [b"before ".as_slice(), &form, b" after"].concat();
        let masked = echo.mask(&body).unwrap_or_else(|| panic!("{name} was not seen"));
        assert!(canary.find_in(&masked).is_empty(), "{name}: {}", text(&masked));
        assert_eq!((masked.len(), &masked[..7], &masked[masked.len() - 6..]), (body.len(), &b"before "[..], &b" after"[..]), "{name}");
    }
    assert_eq!(canary.forms().len(), 13);
}

#[test]
fn r_05_no_cut_of_the_stream_lets_a_value_through() {
    let canary = Canary::new();
    let echo = echo(&[canary.value()]);
    for (name, form) in canary.forms() {
        let body = [b"{\"x\": \"".as_slice(), &form, b"\"}"].concat();
        for cut in 0..=body.len() {
            let masked = streamed(&echo, [&body[..cut], &body[cut..]]);
            assert!(canary.find_in(&masked).is_empty() && masked.len() == body.len(), "{name} cut at {cut}");
        }
        assert!(canary.find_in(&streamed(&echo, body.chunks(1))).is_empty(), "{name} byte by byte");
    }
}

#[test]
fn what_is_no_beginning_of_a_value_is_not_held_back() {
    let echo = echo(&["sk-proj-0123456789"]);
    let mut stream = echo.stream();
    assert_eq!(text(&stream.feed(b"data: {\"delta\": \"hello\"}\n\n")), "data: {\"delta\": \"hello\"}\n\n");
    assert_eq!(text(&stream.feed(b"data: sk-pro")), "data: ");
    assert_eq!(text(&stream.feed(b"ductive\n\n")), "sk-productive\n\n");
    assert_eq!(stream.found(), 0);
}

#[test]
fn a_pause_lets_a_few_characters_go_and_still_sees_what_they_began() {
    let echo = echo(&["sk-proj-0123456789"]);
    let mut stream = echo.stream();
    assert_eq!(text(&stream.feed(b"the end is s")), "the end is ");
    assert_eq!((text(&stream.pause()), text(&stream.pause()), stream.held()), ("s".to_owned(), String::new(), 0));
    assert_eq!(text(&stream.feed(b"k-proj-0123456789!")), "*****************!");
    assert_eq!((text(&stream.feed(b"sk-p")), text(&stream.pause()), stream.held()), (String::new(), String::new(), 4));
    assert_eq!(text(&stream.finish()), "sk-p");
}

#[test]
fn a_value_that_contains_another_is_written_over_whole() {
    let echo = echo(&["password1", "password1-and-more"]);
    assert_eq!(text(&streamed(&echo, ["[password1", "-and-more]", "[password1]"])), "[******************][*********]");
}

#[test]
fn what_was_held_back_at_the_end_is_judged_as_it_is() {
    let echo = echo(&["password1", "password1-and-more"]);
    assert_eq!(text(&streamed(&echo, ["password1-an"])), "*********-an");
    assert_eq!(text(&streamed(&echo, ["passwor"])), "passwor");
}

#[test]
fn a_text_in_base64_stays_base64() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let (value, echo) = ("sk-proj-0123456789abcdef", echo(&["sk-proj-0123456789abcdef"]));
    for before in ["", "a", "ab"] {
        let encoded = BASE64_STANDARD.encode(format!("{before}{value} and more"));
        let decoded = BASE64_STANDARD.decode(echo.mask(encoded.as_bytes()).expect("seen")).expect("still base64");
        assert!(!text(&decoded).contains("0123456789") && text(&decoded).ends_with(" and more"), "{}", text(&decoded));
    }
}

#[test]
fn values_that_are_too_short_to_be_told_from_text_are_not_looked_for() {
    assert!(Echo::new(&[Secret::new(b"hunter2".to_vec())]).is_none());
    assert!(Echo::new(&[]).is_none());
}

#[test]
fn spellings_of_common_encoders_are_known() {
    let echo = echo(&["a/b+c=<d>&'e'\"f\"\\g"]);
    let spelled = [
        r#"a\/b+c=<d>&'e'\"f\"\\g"#,
        r#"a/b+c=\u003cd\u003e\u0026'e'\"f\"\\g"#,
        "a/b+c=&lt;d&gt;&amp;&#x27;e&#x27;&quot;f&quot;\\g",
        "a/b+c=&lt;d&gt;&amp;&#39;e&#39;&#34;f&#34;\\g",
        "a%2Fb%2Bc%3D%3Cd%3E%26%27e%27%22f%22%5Cg",
        "a%2fb%2bc%3d%3cd%3e%26'e'%22f%22%5cg",
    ];
    for spelling in spelled {
        assert!(echo.mask(spelling.as_bytes()).is_some(), "{spelling}");
    }
}

proptest! {
    #[test]
    fn any_chunking_gives_what_the_whole_gives(body in "[ab]{0,3}(secret-value|secret-|[ab]|value|secret-value2){0,12}", size in 1..9usize) {
        let echo = echo(&["secret-value", "secret-value2"]);
        let whole = echo.mask(body.as_bytes()).unwrap_or_else(|| body.clone().into_bytes());
        prop_assert!(memchr::memmem::find(&whole, b"secret-value").is_none());
        prop_assert_eq!(streamed(&echo, body.as_bytes().chunks(size)), whole);
    }
}
