//! One file of the journal: `segment-<first number>.jsonl`, one record a line, each beginning `{"seq":<number>,`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// A segment open for appending.
pub struct Segment {
    file: File,
    length: u64,
}

impl Segment {
    /// Makes the segment whose first record will be `first`.
    pub fn create(dir: &Path, first: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path_of(dir, first))?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// Opens an existing segment, cutting a last line that a power cut left unfinished. Also gives its last number.
    pub fn reopen(dir: &Path, first: u64) -> io::Result<(Self, Option<u64>)> {
        let mut file = OpenOptions::new().read(true).append(true).open(path_of(dir, first))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < content.len() {
            tracing::warn!(segment = first, lost_bytes = content.len() - whole, "cut an unfinished record from the journal");
            file.set_len(whole as u64)?;
        }
        file.seek(SeekFrom::End(0))?;
        let last = content[..whole].split(|byte| *byte == b'\n').rev().find_map(number_of);
        Ok((Self { file, length: whole as u64 }, last))
    }

    /// Appends whole lines with one `write(2)`; what a failed or short write left behind is taken back.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = loop {
            match self.file.write(lines) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        if let Ok(count) = written
            && count == lines.len()
        {
            self.length += count as u64;
            return Ok(());
        }
        self.file.set_len(self.length)?;
        Err(written.err().unwrap_or_else(|| io::Error::new(io::ErrorKind::StorageFull, "short write")))
    }

    /// Bytes in it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Another handle on the same file, for the sync thread.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// The first numbers of all segments in `dir`, in order.
pub fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let first: Option<u64> = name.to_str().and_then(|n| n.strip_prefix("segment-")?.strip_suffix(".jsonl")?.parse().ok());
        firsts.extend(first);
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Where the segment of that first number lies.
pub fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("segment-{first:020}.jsonl"))
}

/// The number that a line begins with.
pub fn number_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|byte| *byte == b',')?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}
