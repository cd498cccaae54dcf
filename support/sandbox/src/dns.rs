//! The name server of the private machine: every name of the site is this machine, no other name exists.
//!
//! An answer is a pure function of the question ([`answer`]); [`Answerer`] puts it on 127.0.0.1:53, UDP and TCP.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QTYPE, Question, RCODE, ResourceRecord, TYPE,
    rdata::{A, AAAA, RData},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

use crate::Zone;

/// Where a resolver asks that was told nothing (resolv.conf(5)).
pub const USUAL_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

/// Longer questions than this are not asked by resolvers (one name has at most 255 octets, RFC 1035 2.3.4).
const QUESTION_MAX_BYTES: usize = 1500;
/// Names do not change during a run; a short life keeps caches of long-lived clients honest all the same.
const LIFE_SECONDS: u32 = 5;
/// An idle TCP connection is closed after this (RFC 7766 6.2.3 asks for a few seconds).
const TCP_PATIENCE: Duration = Duration::from_secs(10);
const TCP_CONNECTIONS: usize = 64;
const HEADER_BYTES: usize = 12;
const RESPONSE_BIT: u8 = 0x80;
const FORMAT_ERROR: u8 = 1;

/// A name server that has its sockets.
#[derive(Debug)]
pub struct Answerer {
    zone: Zone,
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Answerer {
    /// Inside a private machine: on [`USUAL_ADDRESS`].
    pub async fn bind(zone: Zone) -> io::Result<Self> {
        Self::bind_to(zone, USUAL_ADDRESS).await
    }

    pub async fn bind_to(zone: Zone, address: SocketAddr) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok(Self { zone, udp, tcp })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Answers until the returned set is dropped.
    pub fn start(self) -> JoinSet<()> {
        let zone = Arc::new(self.zone);
        let mut serving = JoinSet::new();
        serving.spawn(serve_udp(self.udp, Arc::clone(&zone)));
        serving.spawn(serve_tcp(self.tcp, zone));
        serving
    }
}

/// The reply to one question, or nothing where even a refusal would be wrong (too short, or itself a reply).
pub fn answer(question: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    if question.len() < HEADER_BYTES || question[2] & RESPONSE_BIT != 0 {
        return None;
    }
    let parsed = if question.len() <= QUESTION_MAX_BYTES { Packet::parse(question).ok() } else { None };
    let Some(asked) = parsed else { return Some(unreadable(question)) };
    let reply = reply_to(&asked, zone);
    reply.build_bytes_vec_compressed().ok().or_else(|| Some(unreadable(question)))
}

fn reply_to<'q>(asked: &Packet<'q>, zone: &Zone) -> Packet<'q> {
    let mut reply = Packet::new_reply(asked.id());
    *reply.opcode_mut() = asked.opcode();
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    let [question] = asked.questions.as_slice() else {
        *reply.rcode_mut() = RCODE::FormatError;
        return reply;
    };
    reply.questions.push(question.clone());
    if asked.opcode() != OPCODE::StandardQuery {
        *reply.rcode_mut() = RCODE::NotImplemented;
    } else if zone.contains(&question.qname.to_string()) {
        reply.answers = loopback(question);
    } else {
        *reply.rcode_mut() = RCODE::NameError;
    }
    reply
}

/// Both addresses of this machine; other types of a name we know have no data (RFC 2308 2.2).
fn loopback<'q>(question: &Question<'q>) -> Vec<ResourceRecord<'q>> {
    let v4 = RData::A(A { address: Ipv4Addr::LOCALHOST.to_bits() });
    let v6 = RData::AAAA(AAAA { address: Ipv6Addr::LOCALHOST.to_bits() });
    let data = match question.qtype {
        QTYPE::TYPE(TYPE::A) => vec![v4],
        QTYPE::TYPE(TYPE::AAAA) => vec![v6],
        QTYPE::ANY => vec![v4, v6],
        _ => vec![],
    };
    let record = |data| ResourceRecord::new(question.qname.clone(), CLASS::IN, LIFE_SECONDS, data);
    data.into_iter().map(record).collect()
}

/// A header alone, with the id of what could not be read (RFC 1035 4.1.1).
fn unreadable(question: &[u8]) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    header[..2].copy_from_slice(&question[..2]);
    header[2] = RESPONSE_BIT;
    header[3] = FORMAT_ERROR;
    header
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; QUESTION_MAX_BYTES + 1];
    loop {
        // An error here is about an earlier answer nobody took (ICMP port unreachable).
        let Ok((length, asker)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(reply) = answer(&buffer[..length], &zone) {
            let _ = socket.send_to(&reply, asker).await;
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>) {
    let room = Arc::new(Semaphore::new(TCP_CONNECTIONS));
    let mut talking = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        while talking.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        let zone = Arc::clone(&zone);
        talking.spawn(async move {
            // Hanging up ends a conversation; there is nobody to tell.
            let _ = converse(stream, &zone).await;
            drop(place);
        });
    }
}

/// Questions and answers with two octets of length before each (RFC 1035 4.2.2).
async fn converse(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let length = timeout(TCP_PATIENCE, stream.read_u16()).await??;
        let mut question = vec![0; usize::from(length)];
        timeout(TCP_PATIENCE, stream.read_exact(&mut question)).await??;
        let Some(reply) = answer(&question, zone) else { return Ok(()) };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        timeout(TCP_PATIENCE, stream.write_all(&framed)).await??;
    }
}

#[cfg(test)]
mod tests;
