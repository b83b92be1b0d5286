//! The journal on a real file system, and its shipping over a real socket.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, StatusCode};
use hyper::body::Incoming;
use openmiosa_journal::{Durability, Journal, JournalError, Options, Shipper, gateway_id};
use openmiosa_link::{
    Client, PeerPolicy,
    records::{End, Outcome, Record},
    server,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn record(number: u64) -> Record {
    let text = |text: &str| text.into();
    Record::Outcome(Outcome {
        at: "2026-01-01T00:00:00.000000Z".into(),
        event: text("evt_1"),
        sandbox: text("sbx_1"),
        tenant: text("ten_1"),
        bytes_in: number,
        bytes_out: 0,
        duration_us: 0,
        end: End::Complete,
    })
}

fn open(dir: &Path) -> Journal {
    Journal::open(Options::new(dir, Durability::Write)).expect("a journal")
}

/// All records on disk, in order.
fn on_disk(dir: &Path) -> Vec<Value> {
    let mut names: Vec<_> = fs::read_dir(dir).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let segments = names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    segments
        .flat_map(|path| {
            fs::read_to_string(path).expect("text").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn what_was_numbered_is_in_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = open(dir.path());
    assert_eq!((journal.append(&record(7)).expect("written"), journal.append(&record(8)).expect("written")), (1, 2));
    let records = on_disk(dir.path());
    assert_eq!((&records[0]["seq"], &records[0]["kind"], &records[1]["bytes_in"]), (&json!(1), &json!("outcome"), &json!(8)));
}

#[test]
fn numbers_go_on_across_boots() {
    let dir = tempfile::tempdir().expect("a folder");
    open(dir.path()).append(&record(0)).expect("written");
    let journal = open(dir.path());
    assert_eq!(journal.append(&record(1)).expect("written"), 2);
}

#[test]
fn a_torn_last_line_is_cut_and_its_number_given_again() {
    let dir = tempfile::tempdir().expect("a folder");
    open(dir.path()).append(&record(0)).expect("written");
    let segment = dir.path().join("segment-00000000000000000001.jsonl");
    OpenOptions::new().append(true).open(segment).expect("the segment").write_all(b"{\"seq\":2,\"kind\":\"outc").expect("torn");
    assert_eq!(open(dir.path()).append(&record(1)).expect("written"), 2);
    assert_eq!(on_disk(dir.path()).len(), 2);
}

#[test]
fn a_full_journal_refuses_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Journal::open(Options { max_bytes: 300, ..Options::new(dir.path(), Durability::Write) }).expect("a journal");
    journal.append(&record(0)).expect("room for one");
    assert!(matches!(journal.append(&record(1)), Err(JournalError::Full(_))));
}

#[tokio::test]
async fn with_power_durability_many_writers_share_one_sync() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Arc::new(Journal::open(Options::new(dir.path(), Durability::Power)).expect("a journal"));
    let writers: Vec<_> = (0..50)
        .map(|number| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                let number = journal.append(&record(number)).expect("written");
                journal.durable(number).await.expect("on disk");
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer failed");
    }
    assert_eq!(on_disk(dir.path()).len(), 50);
}

#[test]
fn the_gateways_id_is_made_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let id = gateway_id(dir.path()).expect("an id");
    assert!(id.starts_with("gw_") && gateway_id(dir.path()).expect("the same") == id);
}

/// A server that stores, forgets to answer, or cannot read a record.
#[derive(Default)]
struct Store {
    records: Mutex<Vec<u64>>,
    calls: AtomicUsize,
    lose_answers: AtomicBool,
    unreadable: Mutex<Option<u64>>,
}

impl Store {
    fn take(&self, body: &Value) -> http::Response<server::Body> {
        self.calls.fetch_add(1, Ordering::AcqRel);
        let numbers: Vec<u64> =
            body["records"].as_array().expect("records").iter().map(|record| record["seq"].as_u64().expect("a number")).collect();
        if self.unreadable.lock().is_some_and(|poison| numbers.contains(&poison)) {
            return server::fail(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "what is that?");
        }
        let mut records = self.records.lock();
        for number in numbers {
            if !records.contains(&number) {
                records.push(number);
            }
        }
        if self.lose_answers.swap(false, Ordering::AcqRel) {
            return server::fail(StatusCode::SERVICE_UNAVAILABLE, "internal", "the answer is lost");
        }
        server::json(StatusCode::OK, &json!({"acknowledged": records.iter().max()}))
    }
}

fn shipper(dir: &Path, journal: &Arc<Journal>, store: &Arc<Store>) -> Shipper {
    let path = dir.join("link.sock");
    let (socket, store) = (server::bind(&path, 0o600).expect("a socket"), Arc::clone(store));
    tokio::spawn(server::serve(socket, PeerPolicy::new(&[]), CancellationToken::new(), move |request: Request<Incoming>| {
        let store = Arc::clone(&store);
        async move {
            match server::read_json::<Value>(request.into_body()).await {
                Ok(body) => store.take(&body),
                Err(refused) => refused,
            }
        }
    }));
    Shipper::new(Arc::clone(journal), Arc::new(Client::new(&path, Duration::from_secs(5))), "gw_test")
}

#[tokio::test]
async fn records_arrive_in_order_and_finished_segments_go_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal =
        Arc::new(Journal::open(Options { segment_bytes: 400, ..Options::new(dir.path(), Durability::Write) }).expect("a journal"));
    let store = Arc::<Store>::default();
    let mut shipper = shipper(dir.path(), &journal, &store);
    for number in 0..20 {
        journal.append(&record(number)).expect("written");
    }
    while shipper.step().await.expect("shipped") {}
    assert_eq!(*store.records.lock(), (1..=20).collect::<Vec<_>>());
    assert_eq!(journal.acknowledged(), 20);
    assert!(on_disk(dir.path()).len() <= 3, "only the open segment is kept");
    assert_eq!(open(dir.path()).append(&record(0)).expect("written"), 21);
}

#[tokio::test]
async fn a_lost_answer_repeats_the_batch_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (journal, store) = (Arc::new(open(dir.path())), Arc::<Store>::default());
    let mut shipper = shipper(dir.path(), &journal, &store);
    journal.append(&record(0)).expect("written");
    store.lose_answers.store(true, Ordering::Release);
    assert!(shipper.step().await.is_err());
    assert!(shipper.step().await.expect("shipped again"));
    assert_eq!((store.records.lock().clone(), store.calls.load(Ordering::Acquire)), (vec![1], 2));
}

#[tokio::test]
async fn z30_a_record_that_the_server_cannot_read_is_set_aside_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (journal, store) = (Arc::new(open(dir.path())), Arc::<Store>::default());
    let mut shipper = shipper(dir.path(), &journal, &store);
    *store.unreadable.lock() = Some(2);
    for number in 0..3 {
        journal.append(&record(number)).expect("written");
    }
    while shipper.step().await.expect("shipped") {}
    assert_eq!(*store.records.lock(), [1, 3]);
    assert!(fs::read_to_string(dir.path().join("quarantine.jsonl")).expect("the quarantine").contains("\"seq\":2,"));
}

#[tokio::test]
async fn a_small_journal_whose_records_are_all_stored_has_room_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options { max_bytes: 8000, ..Options::new(dir.path(), Durability::Write) };
    let (journal, store) = (Arc::new(Journal::open(options).expect("a journal")), Arc::<Store>::default());
    let mut shipper = shipper(dir.path(), &journal, &store);
    for number in 0..100 {
        journal.append(&record(number)).expect("there is room for one");
        while shipper.step().await.expect("shipped") {}
    }
}

#[tokio::test]
async fn a_record_longer_than_a_batch_is_shipped_like_any_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let (journal, store) = (Arc::new(open(dir.path())), Arc::<Store>::default());
    let mut shipper = shipper(dir.path(), &journal, &store);
    let Record::Outcome(mut long) = record(0) else { panic!("an outcome") };
    long.at = "x".repeat(600_000);
    for next in [record(0), Record::Outcome(long), record(1)] {
        journal.append(&next).expect("written");
    }
    while shipper.step().await.expect("shipped") {}
    assert_eq!(*store.records.lock(), [1, 2, 3]);
}
