use std::{net::Ipv4Addr, str::FromStr};

use hickory_proto::{
    op::{Message, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RData, RecordType},
};

use super::answer;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 1, 7);

fn query(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.add_query(Query::query(Name::from_str(name).expect("a name"), kind));
    message
}

fn ask(message: &Message) -> Option<Message> {
    let bytes = message.to_vec().expect("a query");
    let reply = answer(&bytes, |_, _| Some(ADDRESS))?;
    assert!(reply.len() <= 2 * bytes.len() + 16, "an answer never amplifies");
    Some(Message::from_vec(&reply).expect("an answer"))
}

#[test]
fn every_valid_name_gets_one_a_record_for_a_minute() {
    let reply = ask(&query("api.openai.com.", RecordType::A)).expect("an answer");
    assert_eq!(reply.metadata.id, 4711);
    assert_eq!(reply.answers.len(), 1);
    assert_eq!(reply.answers[0].ttl, 60);
    assert!(matches!(&reply.answers[0].data, RData::A(a) if a.0 == ADDRESS));
}

#[test]
fn d10_other_types_have_no_data() {
    for kind in [RecordType::AAAA, RecordType::HTTPS, RecordType::SVCB, RecordType::TXT, RecordType::MX, RecordType::PTR] {
        let reply = ask(&query("api.openai.com.", kind)).expect("an answer");
        assert_eq!((reply.metadata.response_code, reply.answers.len()), (ResponseCode::NoError, 0), "{kind}");
    }
}

#[test]
fn d11_odd_messages_are_refused_or_ignored() {
    assert!(answer(&[0; 11], |_, _| Some(ADDRESS)).is_none(), "too short");
    let mut response = query("a.test.", RecordType::A).to_vec().expect("a query");
    response[2] |= 0x80;
    assert!(answer(&response, |_, _| Some(ADDRESS)).is_none(), "a response");
    let mut two = query("a.test.", RecordType::A);
    two.add_query(Query::query(Name::from_str("b.test.").expect("a name"), RecordType::A));
    assert_eq!(ask(&two).expect("an answer").metadata.response_code, ResponseCode::FormErr);
    let mut chaos = query("version.bind.", RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(ask(&chaos).expect("an answer").metadata.response_code, ResponseCode::NotImp);
    let mut update = query("a.test.", RecordType::A);
    update.metadata.op_code = OpCode::Update;
    assert_eq!(ask(&update).expect("an answer").metadata.response_code, ResponseCode::NotImp);
    assert_eq!(ask(&query("a.test.", RecordType::ANY)).expect("an answer").metadata.response_code, ResponseCode::NotImp);
}

#[test]
fn d11_noise_never_panics() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        let mut packet = Vec::new();
        for _ in 0..(state % 96) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            packet.push(state.to_le_bytes()[3]);
        }
        state = state.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        if let Some(reply) = answer(&packet, |_, _| Some(ADDRESS)) {
            assert!(reply.len() <= 2 * packet.len() + 16);
        }
    }
}
