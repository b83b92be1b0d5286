//! The shipping side: whole lines from the files to the server, again and again until acknowledged.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use openmiosa_link::{Client, ClientError, messages::Acknowledged};

use crate::{
    journal::Journal,
    segment::{list, number_of, path_of},
};

/// A batch is about this long: a few hundred records.
const BATCH_BYTES: usize = 256 << 10;
/// While the server is away; it is woken earlier by a hello that succeeds.
const PAUSE: Duration = Duration::from_millis(250);
/// The acknowledged number is written down this often: a restart then repeats at most that much.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// Ships a journal to the server.
pub struct Shipper {
    journal: Arc<Journal>,
    client: Arc<Client>,
    gateway: String,
    segment: Option<u64>,
    offset: u64,
    single: bool,
}

struct Batch {
    body: Vec<u8>,
    /// The end of each line in the file, with its number.
    ends: Vec<(u64, u64)>,
}

impl Shipper {
    /// A shipper that starts after what was acknowledged.
    pub fn new(journal: Arc<Journal>, client: Arc<Client>, gateway: &str) -> Self {
        Self { journal, client, gateway: gateway.to_owned(), segment: None, offset: 0, single: false }
    }

    /// Ships for ever. Dropping the future loses nothing: the files remember.
    pub async fn run(mut self) {
        let mut saved = tokio::time::Instant::now();
        let mut waiting = false;
        loop {
            match self.step().await {
                Ok(true) => waiting = false,
                Ok(false) => self.journal.appended().await,
                Err(error) => {
                    if !std::mem::replace(&mut waiting, true) {
                        tracing::warn!(%error, "records wait for the server");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
            if saved.elapsed() > SAVE_EVERY {
                saved = tokio::time::Instant::now();
                if let Err(error) = self.journal.save_acknowledged() {
                    tracing::warn!(%error, "the acknowledged number could not be written");
                }
            }
        }
    }

    /// Ships one batch; `false` when there was nothing to ship.
    pub async fn step(&mut self) -> Result<bool, ClientError> {
        let Some(batch) = self.read()? else { return Ok(false) };
        let count = batch.ends.len();
        let sent = self.client.send::<Acknowledged>(http_post(), "/v1/events", Bytes::from(batch.body.clone()), &[]).await;
        match sent {
            Ok(answer) => self.advance(&batch, answer.acknowledged)?,
            Err(ClientError::Refused { status, body }) if matches!(status.as_u16(), 400 | 413 | 422) => {
                self.set_aside(&batch, count, &body)?;
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn advance(&mut self, batch: &Batch, acknowledged: u64) -> io::Result<()> {
        self.single = false;
        if let Some((end, _)) = batch.ends.iter().rev().find(|(_, number)| *number <= acknowledged) {
            self.offset = *end;
        }
        self.journal.acknowledge(acknowledged)
    }

    /// A record that the server cannot read must not stop the others: found one by one, kept in a file of its own.
    fn set_aside(&mut self, batch: &Batch, count: usize, why: &str) -> io::Result<()> {
        if count > 1 {
            self.single = true;
            return Ok(());
        }
        tracing::error!(%why, "the server cannot read a record; it is kept in quarantine.jsonl");
        let mut file = OpenOptions::new().create(true).append(true).open(self.journal.dir().join("quarantine.jsonl"))?;
        file.write_all(&batch.body)?;
        file.write_all(b"\n")?;
        let (end, number) = batch.ends[0];
        self.offset = end;
        self.single = false;
        self.journal.acknowledge(number)
    }

    fn read(&mut self) -> io::Result<Option<Batch>> {
        loop {
            let firsts = list(self.journal.dir())?;
            let Some(current) = self.segment.filter(|s| firsts.contains(s)).or(firsts.first().copied()) else { return Ok(None) };
            if self.segment != Some(current) {
                self.segment = Some(current);
                self.offset = 0;
            }
            if let Some(batch) = self.read_lines(current)? {
                return Ok(Some(batch));
            }
            // Only a segment that has a successor is finished.
            match firsts.into_iter().find(|first| *first > current) {
                Some(following) => {
                    self.segment = Some(following);
                    self.offset = 0;
                }
                None => return Ok(None),
            }
        }
    }

    fn read_lines(&mut self, segment: u64) -> io::Result<Option<Batch>> {
        let mut file = File::open(path_of(self.journal.dir(), segment))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut content = Vec::new();
        let mut file = BufReader::new(file);
        file.by_ref().take(BATCH_BYTES as u64).read_to_end(&mut content)?;
        if !content.contains(&b'\n') {
            // One record that is longer than a batch is a batch of its own.
            file.read_until(b'\n', &mut content)?;
        }
        let known = self.journal.acknowledged();
        let mut batch = Batch { body: format!("{{\"v\":1,\"gateway\":\"{}\",\"records\":[", self.gateway).into_bytes(), ends: Vec::new() };
        let mut at = self.offset;
        for line in content.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            at += line.len() as u64;
            match number_of(line) {
                Some(number) if number > known => {
                    if !batch.ends.is_empty() {
                        batch.body.push(b',');
                    }
                    batch.body.extend_from_slice(&line[..line.len() - 1]);
                    batch.ends.push((at, number));
                }
                _ if batch.ends.is_empty() => self.offset = at,
                _ => {}
            }
            if self.single && !batch.ends.is_empty() {
                break;
            }
        }
        batch.body.extend_from_slice(b"]}");
        if batch.ends.is_empty() && at > self.offset {
            self.offset = at;
        }
        Ok((!batch.ends.is_empty()).then_some(batch))
    }
}

fn http_post() -> openmiosa_link::client::Method {
    openmiosa_link::client::Method::POST
}
