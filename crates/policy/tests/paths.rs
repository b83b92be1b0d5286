//! `contracts/vectors/paths.json`: rows U-07, U-08 and U-13.

use openmiosa_policy::{Glob, GlobError, PathError, path::canonical};
use serde_json::Value;

fn vectors() -> Value {
    let text = include_str!("../../../contracts/vectors/paths.json");
    serde_json::from_str(text).expect("json")
}

fn cases<'a>(vectors: &'a Value, list: &str) -> &'a Vec<Value> {
    vectors[list].as_array().expect("a list")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn word(error: PathError) -> &'static str {
    match error {
        PathError::Relative => "relative",
        PathError::TooLong => "too_long",
        PathError::Escape => "escape",
        PathError::Encoding => "encoding",
        PathError::Character => "character",
        PathError::DotSegment => "dot_segment",
        PathError::DoubleEncoding => "double_encoding",
    }
}

#[test]
fn u_07_a_path_has_one_canonical_form_or_is_refused() {
    for case in cases(&vectors(), "paths") {
        match (canonical(case["raw"].as_str().expect("raw")), case["error"].as_str()) {
            (Ok(path), None) => {
                assert_eq!(path.as_str(), case["canonical"], "{case}");
                assert_eq!(path.loose(), case.get("loose").unwrap_or(&case["canonical"]), "{case}");
            }
            (Err(error), Some(expected)) => assert_eq!(word(error), expected, "{case}"),
            (outcome, _) => panic!("{case}: {outcome:?}"),
        }
    }
}

#[test]
fn u_07_a_canonical_form_is_its_own_canonical_form() {
    for case in cases(&vectors(), "paths") {
        if let Some(path) = case["canonical"].as_str() {
            assert_eq!(canonical(path).expect("canonical").as_str(), path);
        }
    }
}

#[test]
fn a_path_longer_than_sixteen_kilobytes_is_refused() {
    assert!(canonical(&format!("/{}", "a".repeat(16 * 1024 - 1))).is_ok());
    assert_eq!(canonical(&format!("/{}", "a".repeat(16 * 1024))), Err(PathError::TooLong));
}

#[test]
fn u_08_globs_allow_strictly_and_deny_loosely() {
    for case in cases(&vectors(), "globs") {
        let glob = Glob::parse(case["glob"].as_str().expect("glob")).expect("a glob");
        let path = |text: &str| canonical(text).expect("a path");
        for text in texts(&case["allows"]) {
            assert!(glob.allows(&path(text)), "{text} in {case}");
            assert!(glob.denies(&path(text)), "{text} in {case}");
        }
        assert!(texts(&case["not_allowed"]).iter().all(|text| !glob.allows(&path(text))), "{case}");
        assert!(texts(&case["denies"]).iter().all(|text| glob.denies(&path(text))), "{case}");
    }
}

#[test]
fn u_13_what_is_no_glob_is_refused() {
    for case in cases(&vectors(), "bad_globs") {
        let error = match Glob::parse(case["glob"].as_str().expect("glob")) {
            Ok(_) => "none",
            Err(GlobError::Start) => "start",
            Err(GlobError::TooLong) => "too_long",
            Err(GlobError::Path) => "path",
        };
        assert_eq!(error, case["error"], "{case}");
    }
}

#[test]
fn u_13_the_worst_glob_over_the_longest_path_is_quick() {
    let glob = Glob::parse(&format!("/{}b", "*a".repeat(8))).expect("a glob");
    let path = canonical(&format!("/{}", "a".repeat(16 * 1024 - 1))).expect("a path");
    let start = std::time::Instant::now();
    assert!(!glob.allows(&path));
    assert!(start.elapsed() < std::time::Duration::from_secs(1));
}
