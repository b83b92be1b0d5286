//! The appending side: number, serialise, one `write(2)`, wake the shipper.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use openmiosa_link::records::Record;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

use crate::{
    segment::{self, Segment},
    sync::GroupCommit,
};

/// When a record counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// After `write(2)`: survives the death of the process.
    Write,
    /// After `fdatasync` as well: survives a power cut.
    Power,
}

/// Where and how the journal is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the segments.
    pub dir: PathBuf,
    /// When a record counts as written.
    pub durability: Durability,
    /// A segment is closed when it is this long.
    pub segment_bytes: u64,
    /// Unshipped records above this refuse further ones.
    pub max_bytes: u64,
}

impl Options {
    /// The defaults: 16 MiB segments, 1 GiB in all.
    pub fn new(dir: &Path, durability: Durability) -> Self {
        Self { dir: dir.to_owned(), durability, segment_bytes: 16 << 20, max_bytes: 1 << 30 }
    }
}

/// Why a record could not be written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("the journal cannot be written: {0}")]
    Io(#[from] io::Error),
    /// The server has been away too long.
    #[error("the journal is full: {0} bytes wait for the server")]
    Full(u64),
    /// The disk did not confirm.
    #[error("the disk did not confirm the journal")]
    Unconfirmed,
    /// The record is not JSON, which is a bug.
    #[error("the record cannot be serialised: {0}")]
    Serialise(#[from] serde_json::Error),
}

/// The append-only record. One process owns a folder.
pub struct Journal {
    options: Options,
    writer: Mutex<Writer>,
    next: AtomicU64,
    acknowledged: AtomicU64,
    appended: Notify,
    commit: Option<GroupCommit>,
}

struct Writer {
    segment: Option<Segment>,
    /// Bytes of the closed segments that are still there.
    closed_bytes: u64,
    line: Vec<u8>,
    /// After a failed sync the file is not believed until it has been read again.
    suspect_since: Option<Instant>,
}

impl Journal {
    /// Opens the folder, finds the last number, cuts a torn tail.
    pub fn open(mut options: Options) -> Result<Self, JournalError> {
        // Room comes back when a whole segment is stored, so a small journal needs smaller ones.
        options.segment_bytes = options.segment_bytes.min(options.max_bytes / 4);
        fs::create_dir_all(&options.dir)?;
        let acknowledged = read_acknowledged(&options.dir)?;
        let (segment, last, closed_bytes) = open_last(&options.dir)?;
        let commit = match options.durability {
            Durability::Power => Some(GroupCommit::start()?),
            Durability::Write => None,
        };
        let next = last.unwrap_or(0).max(acknowledged) + 1;
        Ok(Self {
            options,
            writer: Mutex::new(Writer { segment, closed_bytes, line: Vec::with_capacity(4096), suspect_since: None }),
            next: AtomicU64::new(next),
            acknowledged: AtomicU64::new(acknowledged),
            appended: Notify::new(),
            commit,
        })
    }

    /// Numbers a record and writes it; returns its number after `write(2)`.
    pub fn append(&self, record: &Record) -> Result<u64, JournalError> {
        let mut writer = self.writer.lock();
        self.recover(&mut writer)?;
        let number = self.next.load(Ordering::Relaxed);
        let mut line = std::mem::take(&mut writer.line);
        let written = write_line(&mut line, number, record).and_then(|()| self.write(&mut writer, number, &line));
        writer.line = line;
        written?;
        self.next.store(number + 1, Ordering::Release);
        drop(writer);
        self.appended.notify_one();
        Ok(number)
    }

    /// Waits until a record is as durable as was asked for.
    pub async fn durable(&self, number: u64) -> Result<(), JournalError> {
        match &self.commit {
            None => Ok(()),
            Some(commit) if commit.wait(number).await => Ok(()),
            Some(_) => {
                self.writer.lock().suspect_since.get_or_insert_with(Instant::now);
                Err(JournalError::Unconfirmed)
            }
        }
    }

    /// The number that the next record gets.
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// The highest number that the server has stored.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// The folder of the segments.
    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    pub(crate) async fn appended(&self) {
        self.appended.notified().await;
    }

    /// Wakes the shipper, for example when the server has come back.
    pub fn wake(&self) {
        self.appended.notify_one();
    }

    /// Notes what the server has stored and removes the segments that it has whole.
    pub(crate) fn acknowledge(&self, number: u64) -> io::Result<()> {
        self.acknowledged.fetch_max(number, Ordering::AcqRel);
        let firsts = segment::list(&self.options.dir)?;
        let done: Vec<u64> = firsts.windows(2).filter(|pair| pair[1] <= number + 1).map(|pair| pair[0]).collect();
        if done.is_empty() {
            return Ok(());
        }
        // The number goes first: a segment may only vanish when the next start still knows how far numbering got.
        self.save_acknowledged()?;
        let mut writer = self.writer.lock();
        for first in done {
            let path = segment::path_of(&self.options.dir, first);
            writer.closed_bytes = writer.closed_bytes.saturating_sub(fs::metadata(&path)?.len());
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Writes the acknowledged number down, so that the next start does not ship everything again.
    pub fn save_acknowledged(&self) -> io::Result<()> {
        let temporary = self.options.dir.join("acknowledged.new");
        fs::write(&temporary, self.acknowledged().to_string())?;
        fs::File::open(&temporary)?.sync_data()?;
        fs::rename(temporary, self.options.dir.join("acknowledged"))
    }

    fn write(&self, writer: &mut Writer, number: u64, line: &[u8]) -> Result<(), JournalError> {
        let held = writer.closed_bytes + writer.segment.as_ref().map_or(0, Segment::length);
        if held + line.len() as u64 > self.options.max_bytes {
            return Err(JournalError::Full(held));
        }
        if let Some(full) = writer.segment.take_if(|s| s.length() >= self.options.segment_bytes) {
            if self.options.durability == Durability::Power {
                full.handle()?.sync_data()?;
            }
            writer.closed_bytes += full.length();
        }
        let current = match &mut writer.segment {
            Some(current) => current,
            empty => empty.insert(Segment::create(&self.options.dir, number)?),
        };
        current.append(line)?;
        if let Some(commit) = &self.commit {
            commit.request(current.handle()?, number);
        }
        Ok(())
    }

    /// Believes a suspect file again only after it was reopened and read, at most once a second.
    fn recover(&self, writer: &mut Writer) -> Result<(), JournalError> {
        match writer.suspect_since {
            None => return Ok(()),
            Some(since) if since.elapsed() < Duration::from_secs(1) => return Err(JournalError::Unconfirmed),
            Some(_) => {}
        }
        writer.suspect_since = Some(Instant::now());
        let (segment, last, closed_bytes) = open_last(&self.options.dir)?;
        if let Some(segment) = &segment {
            segment.handle()?.sync_data()?;
        }
        *writer = Writer { segment, closed_bytes, line: Vec::new(), suspect_since: None };
        self.next.fetch_max(last.unwrap_or(0) + 1, Ordering::AcqRel);
        Ok(())
    }
}

/// The number stands first, so that a reader finds it without parsing the record.
fn write_line(line: &mut Vec<u8>, number: u64, record: &Record) -> Result<(), JournalError> {
    use io::Write;
    line.clear();
    write!(line, "{{\"seq\":{number},")?;
    let start = line.len();
    serde_json::to_writer(&mut *line, record)?;
    // The record is an object: its opening brace gives way to the number's.
    line.remove(start);
    line.push(b'\n');
    Ok(())
}

fn open_last(dir: &Path) -> io::Result<(Option<Segment>, Option<u64>, u64)> {
    let firsts = segment::list(dir)?;
    let Some((newest, closed)) = firsts.split_last() else {
        return Ok((None, None, 0));
    };
    let (segment, last) = Segment::reopen(dir, *newest)?;
    let mut closed_bytes = 0;
    for first in closed {
        closed_bytes += fs::metadata(segment::path_of(dir, *first))?.len();
    }
    Ok((Some(segment), last.or(newest.checked_sub(1)), closed_bytes))
}

fn read_acknowledged(dir: &Path) -> io::Result<u64> {
    match fs::read_to_string(dir.join("acknowledged")) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the acknowledged file of the journal holds no number")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}
