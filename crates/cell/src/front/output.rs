//! A process's output as lines of JSON, from any offset, to its end or as it comes.

use std::{io, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::process::{Process, Stream};

/// How much goes into one line.
const PIECE: usize = 64 << 10;
/// How many lines may wait for a slow reader.
const LINES: usize = 8;

/// Where a reader is.
#[derive(Clone, Copy, Debug)]
pub struct Offsets {
    /// In standard output.
    pub stdout: u64,
    /// In standard error.
    pub stderr: u64,
}

/// Sends what there is from `offsets` on, and with `follow` all that comes, until the process ends.
pub fn stream(process: Arc<Process>, offsets: Offsets, follow: bool) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(LINES);
    tokio::spawn(async move {
        let mut offsets = offsets;
        let mut changes = process.watch();
        loop {
            changes.mark_unchanged();
            // The end is asked for first: what comes before it is then sure to be read below.
            let exit = process.exit_line();
            let lines = next_lines(&process, &mut offsets);
            let done = lines.is_empty();
            for line in lines {
                if sender.send(Ok(encode(&line))).await.is_err() {
                    return;
                }
            }
            if !done {
                continue;
            }
            if let Some(exit) = exit {
                let _ = sender.send(Ok(encode(&exit))).await;
                return;
            }
            if !follow {
                return;
            }
            tokio::select! {
                more = changes.changed() => if more.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    receiver
}

fn next_lines(process: &Process, offsets: &mut Offsets) -> Vec<Value> {
    let mut lines = Vec::new();
    for (stream, offset) in [(Stream::Stdout, &mut offsets.stdout), (Stream::Stderr, &mut offsets.stderr)] {
        let (start, bytes) = process.read(stream, *offset, PIECE);
        if start > *offset {
            lines.push(json!({"gap": {"stream": stream.name(), "from": *offset, "to": start}}));
            *offset = start;
        }
        if !bytes.is_empty() {
            lines.push(json!({"stream": stream.name(), "offset": start, "data": STANDARD.encode(&bytes)}));
            *offset += bytes.len() as u64;
        }
    }
    lines
}

fn encode(line: &Value) -> Bytes {
    let mut text = line.to_string();
    text.push('\n');
    text.into()
}
