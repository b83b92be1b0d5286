//! Changes of files as they happen.

use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixStream,
};

use serde_json::{Value, json};

use crate::kit::{Sandbox, each_mode, until};

struct Watching {
    lines: BufReader<UnixStream>,
}

impl Sandbox<'_> {
    /// Watches; when this returns, the daemon does.
    fn watching(&self, query: &str) -> Watching {
        let stream = self.cell.send("GET", &self.path(&format!("/files/watch?{query}")), "", &[]);
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "no answer");
        }
        Watching { lines }
    }
}

impl Watching {
    /// The next change, whatever the chunks are.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.starts_with('{') {
                return serde_json::from_str(&line).unwrap();
            }
            line.clear();
        }
        Value::Null
    }

    fn events(&mut self, until: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let change = self.next();
            assert_ne!(change, Value::Null, "ended after {seen:?}");
            let (event, path) = (change["event"].as_str().unwrap(), change["path"].as_str().unwrap());
            let old = change["old_path"].as_str().map(|old| format!(" from {old}")).unwrap_or_default();
            seen.push(format!("{event} {path}{old}"));
            if path.ends_with(until) {
                return seen;
            }
        }
    }
}

#[test]
fn what_happens_to_a_file_is_told_in_order() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut watching = sandbox.watching("path=/workspace");
        sandbox.sh("echo one > f; mv f g; rm g; touch end");
        assert_eq!(
            watching.events("end"),
            [
                "created /workspace/f",
                "modified /workspace/f",
                "renamed /workspace/g from /workspace/f",
                "deleted /workspace/g",
                "created /workspace/end"
            ]
        );
    });
}

#[test]
fn folders_that_are_made_meanwhile_are_watched_too() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut watching = sandbox.watching("path=/workspace");
        sandbox.sh("mkdir -p a/b/c; touch a/b/c/early");
        let seen = watching.events("early");
        assert!(seen.contains(&"created /workspace/a/b".to_owned()), "{seen:?}");
        sandbox.sh("touch a/b/c/late");
        assert_eq!(watching.events("late"), ["created /workspace/a/b/c/late"]);
    });
}

#[test]
fn a_folder_that_moves_is_followed_and_one_that_leaves_is_not() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("mkdir -p watched/old/deep outside");
        let mut watching = sandbox.watching("path=watched");
        sandbox.sh("mv watched/old watched/new; touch watched/new/deep/f; mv watched/new outside/; touch outside/new/deep/g watched/end");
        assert_eq!(
            watching.events("end"),
            [
                "renamed /workspace/watched/new from /workspace/watched/old",
                "created /workspace/watched/new/deep/f",
                "deleted /workspace/watched/new",
                "created /workspace/watched/end"
            ]
        );
    });
}

#[test]
fn a_file_that_is_uploaded_appears_once_and_whole() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut watching = sandbox.watching("path=/workspace");
        sandbox.put_file("f", b"content");
        sandbox.put_file("end", b"");
        assert_eq!(watching.events("end"), ["created /workspace/f", "created /workspace/end"]);
    });
}

#[test]
fn one_file_is_watched_through_replacements_and_others_are_not_told_of() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.put_file("config", b"1");
        let mut watching = sandbox.watching("path=config");
        sandbox.sh("touch other; echo 2 > new; mv new config; rm config");
        let seen: Vec<_> = (0..2).map(|_| watching.next()["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(seen, ["created", "deleted"]);
    });
}

#[test]
fn without_recursion_only_the_folder_itself_is_watched() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut watching = sandbox.watching("path=/workspace&recursive=false");
        sandbox.sh("mkdir d; touch d/inside; touch end");
        assert_eq!(watching.events("end"), ["created /workspace/d", "created /workspace/end"]);
    });
}

#[test]
fn changes_that_come_too_fast_are_admitted_to_be_lost_and_watching_goes_on() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let mut watching = sandbox.watching("path=/workspace");
        // Twice as many changes as the kernel's queue holds (16,384) and the reader's buffers swallow.
        let script = "for n in range(16000): os.close(os.open(f'f{n % 7}', os.O_CREAT | os.O_WRONLY)); os.unlink(f'f{n % 7}')";
        assert_eq!(sandbox.python(script).code, 0);
        let mut seen = String::new();
        while seen != "overflow" {
            seen = watching.next()["event"].as_str().expect("no overflow was told").to_owned();
        }
        sandbox.sh("mkdir after; touch after/end");
        assert!(watching.events("end").contains(&"created /workspace/after/end".to_owned()));
    });
}

#[test]
fn a_watch_ends_when_its_folder_or_its_sandbox_is_gone() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh("mkdir d");
        let (mut folder, mut whole) = (sandbox.watching("path=d"), sandbox.watching("path=/tmp"));
        sandbox.sh("rmdir d");
        assert_eq!((folder.next()["event"].clone(), folder.next()), (json!("deleted"), Value::Null));
        sandbox.destroy();
        assert_eq!(whole.next(), Value::Null);
    });
}

#[test]
fn links_lead_a_watch_no_further_than_the_sandbox() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        sandbox.sh(&format!("ln -s {} out; mkdir real; ln -s real in", cell.folder.path().display()));
        assert_eq!(cell.get(&sandbox.path("/files/watch?path=out")).status, 404);
        assert_eq!(cell.get(&sandbox.path("/files/watch?path=/proc")).status, 400);
        let mut watching = sandbox.watching("path=in");
        sandbox.sh("touch real/f");
        assert_eq!(watching.next()["path"], "/workspace/in/f");
    });
}

#[test]
fn only_so_many_watch_a_sandbox_at_once() {
    each_mode(|cell| {
        let sandbox = cell.sandbox("sbx_a");
        let held: Vec<_> = (0..8).map(|_| sandbox.watching("path=/workspace")).collect();
        let refused = cell.get(&sandbox.path("/files/watch?path=/workspace"));
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many"));
        drop(held);
        until("there is room again", || {
            let mut stream = BufReader::new(cell.send("GET", &sandbox.path("/files/watch?path=/workspace"), "", &[]));
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            line.starts_with("HTTP/1.1 200")
        });
    });
}
