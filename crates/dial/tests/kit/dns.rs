//! A name server on loopback whose answers a test chooses, one query at a time.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::CNAME},
};
use tokio::{net::UdpSocket, task::JoinSet};

/// What a query is answered with.
#[derive(Clone)]
pub enum Reply {
    Addresses(Vec<IpAddr>),
    Alias(&'static str, Vec<IpAddr>),
}

pub struct NameServer {
    pub addr: SocketAddr,
    queries: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl NameServer {
    /// `script` gets the name asked for and how many A queries came before this one.
    pub async fn start(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let addr = socket.local_addr().expect("its address");
        let queries = Arc::new(AtomicUsize::new(0));
        let (counted, mut task) = (Arc::clone(&queries), JoinSet::new());
        task.spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let Ok(query) = Message::from_vec(&buffer[..length]) else { continue };
                let answer = answer(&query, &script, &counted);
                socket.send_to(&answer.to_vec().expect("an answer"), from).await.expect("sent");
            }
        });
        Self { addr, queries, _task: task }
    }

    pub fn queries(&self) -> usize {
        self.queries.load(Ordering::Acquire)
    }
}

fn answer(query: &Message, script: &impl Fn(&str, usize) -> Reply, counted: &AtomicUsize) -> Message {
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.response_code = ResponseCode::NoError;
    answer.metadata.recursion_available = true;
    let Some(asked) = query.queries.first() else { return answer };
    answer.add_query(asked.clone());
    let (name, kind) = (asked.name().clone(), asked.query_type());
    let before =
        if kind == RecordType::A { counted.fetch_add(1, Ordering::AcqRel) } else { counted.load(Ordering::Acquire).saturating_sub(1) };
    let text = name.to_ascii().trim_end_matches('.').to_owned();
    let (owner, addresses) = match script(&text, before) {
        Reply::Addresses(addresses) => (name, addresses),
        Reply::Alias(target, addresses) => {
            let target = Name::from_ascii(format!("{target}.")).expect("a name");
            answer.add_answer(Record::from_rdata(name, 0, RData::CNAME(CNAME(target.clone()))));
            (target, addresses)
        }
    };
    for address in addresses {
        let data = RData::from(address);
        if data.record_type() == kind {
            answer.add_answer(Record::from_rdata(owner.clone(), 0, data));
        }
    }
    answer
}
