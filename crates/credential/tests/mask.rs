//! What is recorded holds neither placeholders nor values: rows S-06 and L-01.

use openmiosa_credential::{Masker, Secret};
use openmiosa_policy::Compiled;
use openmiosa_testkit::{SnapshotBuilder, placeholder};

fn masked(value: &str, text: &str) -> String {
    let snapshot = SnapshotBuilder::new("sbx_1").bind("openai_key", &placeholder(1), &["ok.test"]).build();
    let compiled = Compiled::new(serde_json::from_value(snapshot).expect("a snapshot")).expect("sound");
    let secret = Secret::new(value.as_bytes().to_vec());
    Masker::new(&compiled, &[(secret, "openai_key")]).mask(text)
}

#[test]
fn placeholders_are_masked_by_name_and_unknown_ones_without() {
    assert_eq!(masked("value-1", &format!("/bot{}/send", placeholder(1))), "/bot[placeholder:openai_key]/send");
    assert_eq!(masked("value-1", &format!("/{}/{}", placeholder(2), placeholder(1))), "/[placeholder]/[placeholder:openai_key]");
}

#[test]
fn values_are_masked_raw_and_escaped() {
    assert_eq!(masked("sk/live+1", "/x/sk/live+1/y"), "/x/[secret:openai_key]/y");
    assert_eq!(masked("sk-live/1", "/x/sk-live%2F1/y"), "/x/[secret:openai_key]/y");
    assert_eq!(masked("sk-live/1", "/x/sk%2Dlive%2F1/y"), "/x/[secret:openai_key]/y");
}

#[test]
fn a_text_in_which_a_placeholder_hides_is_masked_whole() {
    assert_eq!(masked("value-1", &placeholder(1).to_uppercase()), "[placeholder]");
    assert_eq!(masked("value-1", &placeholder(1).replace('-', "%2D")), "[placeholder]");
}

#[test]
fn ordinary_text_stays() {
    assert_eq!(masked("value-1", "/v1/chat/completions"), "/v1/chat/completions");
    assert_eq!(masked("v1", "/v1/chat"), "/v1/chat");
}
