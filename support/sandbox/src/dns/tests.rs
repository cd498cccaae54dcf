use proptest::prelude::*;
use simple_dns::{Name, QCLASS};

use super::*;

fn zone() -> Zone {
    Zone::new().under("countersign.localhost")
}

fn question(name: &str, kind: QTYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(7);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name).unwrap(), kind, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().unwrap()
}

fn asked(name: &str, kind: TYPE) -> (RCODE, Vec<RData<'static>>) {
    let bytes = answer(&question(name, kind.into()), &zone()).unwrap();
    let reply = Packet::parse(&bytes).unwrap();
    assert_eq!(reply.id(), 7);
    assert!(reply.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED));
    (reply.rcode(), reply.answers.into_iter().map(|record| record.rdata.into_owned()).collect())
}

#[test]
fn names_of_the_site_are_this_machine() {
    let v4 = RData::A(A { address: 0x7f00_0001 });
    let v6 = RData::AAAA(AAAA { address: 1 });
    assert_eq!(asked("KV.vault.Countersign.localhost", TYPE::A), (RCODE::NoError, vec![v4]));
    assert_eq!(asked("kv.vault.countersign.localhost", TYPE::AAAA), (RCODE::NoError, vec![v6]));
    assert_eq!(asked("kv.vault.countersign.localhost", TYPE::MX), (RCODE::NoError, vec![]));
}

#[test]
fn other_names_do_not_exist() {
    assert_eq!(asked("login.microsoftonline.com", TYPE::A), (RCODE::NameError, vec![]));
}

#[test]
fn a_reply_is_never_answered_so_two_servers_cannot_talk_forever() {
    let mut reply = question("a.countersign.localhost", TYPE::A.into());
    reply[2] |= RESPONSE_BIT;
    assert_eq!(answer(&reply, &zone()), None);
}

#[test]
fn an_unreadable_or_empty_question_is_a_format_error_with_its_id() {
    let mut none = Packet::new_query(0x0102).build_bytes_vec().unwrap();
    assert_eq!(answer(&none, &zone()).unwrap()[3] & 0x0f, FORMAT_ERROR);
    none[5] = 1; // one question announced, none there
    assert_eq!(answer(&none, &zone()).unwrap()[..4], [1, 2, RESPONSE_BIT, FORMAT_ERROR]);
    let long = vec![0; QUESTION_MAX_BYTES + 1];
    assert_eq!(answer(&long, &zone()).unwrap()[3], FORMAT_ERROR);
}

#[tokio::test]
async fn udp_and_tcp_give_the_same_answer() {
    let answerer = Answerer::bind_to(zone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = answerer.address().unwrap();
    let _serving = answerer.start();
    let question = question("a.countersign.localhost", TYPE::A.into());

    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(&question, address).await.unwrap();
    let mut datagram = [0; 512];
    let length = udp.recv(&mut datagram).await.unwrap();

    let mut tcp = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        tcp.write_u16(question.len() as u16).await.unwrap();
        tcp.write_all(&question).await.unwrap();
        let mut reply = vec![0; usize::from(tcp.read_u16().await.unwrap())];
        tcp.read_exact(&mut reply).await.unwrap();
        assert_eq!(reply, datagram[..length]);
    }
}

proptest! {
    #[test]
    fn no_packet_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let reply = answer(&bytes, &zone());
        prop_assert_eq!(reply.is_some(), bytes.len() >= HEADER_BYTES && bytes[2] & RESPONSE_BIT == 0);
    }

    #[test]
    fn no_damaged_question_makes_it_panic(
        damage in proptest::collection::vec((0_usize..64, any::<u8>()), 1..6),
        cut in 0_usize..64,
    ) {
        let mut bytes = question("kv.vault.countersign.localhost", TYPE::A.into());
        let length = bytes.len();
        for (at, value) in damage {
            bytes[at % length] = value;
        }
        bytes.truncate(length - cut % length);
        if let Some(reply) = answer(&bytes, &zone()) {
            prop_assert_eq!(&reply[..2], &bytes[..2]);
        }
    }
}
