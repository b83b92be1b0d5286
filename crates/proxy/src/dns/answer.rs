//! One DNS message in, one out: pure.

use std::net::Ipv4Addr;

use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType, rdata::A},
};
use openmiosa_policy::Host;

/// Long enough that a client does not ask for each connection, short enough that it asks again within a window.
const TTL_SECONDS: u32 = 60;
/// A DNS header: what is shorter cannot even be refused.
const HEADER: usize = 12;

/// Answers a query; `None` is silence. `lookup` gives a valid name its address, `None` when there is none left.
pub fn answer(query: &[u8], lookup: impl FnOnce(&Host, RecordType) -> Option<Ipv4Addr>) -> Option<Vec<u8>> {
    let header = query.get(..HEADER)?;
    if header[2] & 0x80 != 0 {
        return None;
    }
    let id = u16::from_be_bytes([header[0], header[1]]);
    let opcode = OpCode::from_u8(header[2] >> 3 & 0x0f);
    if opcode != OpCode::Query {
        return refuse(id, opcode, ResponseCode::NotImp);
    }
    let Ok(asked) = Message::from_vec(query) else { return refuse(id, opcode, ResponseCode::FormErr) };
    if asked.queries.len() != 1 {
        return refuse(id, opcode, ResponseCode::FormErr);
    }
    respond(&asked, lookup)
}

fn respond(asked: &Message, lookup: impl FnOnce(&Host, RecordType) -> Option<Ipv4Addr>) -> Option<Vec<u8>> {
    let question = &asked.queries[0];
    let mut reply = Message::response(asked.metadata.id, OpCode::Query);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.authoritative = true;
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_query(question.clone());
    let kind = question.query_type();
    let odd = matches!(kind, RecordType::ANY | RecordType::AXFR | RecordType::IXFR);
    reply.metadata.response_code = if question.query_class() != DNSClass::IN || odd {
        ResponseCode::NotImp
    } else {
        match Host::parse(question.name().to_ascii().trim_end_matches('.')) {
            Err(_) => ResponseCode::NXDomain,
            Ok(host) => match lookup(&host, kind) {
                None => ResponseCode::ServFail,
                Some(address) => {
                    if kind == RecordType::A {
                        reply.add_answer(Record::from_rdata(question.name().clone(), TTL_SECONDS, RData::A(A(address))));
                    }
                    ResponseCode::NoError
                }
            },
        }
    };
    reply.to_vec().ok()
}

fn refuse(id: u16, opcode: OpCode, code: ResponseCode) -> Option<Vec<u8>> {
    Message::error_msg(id, opcode, code).to_vec().ok()
}

#[cfg(test)]
mod tests;
