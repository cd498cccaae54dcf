//! Where there is no private machine: an HTTP proxy that takes the site's names, and no others, to the site.
//!
//! Clients that are told of it by `HTTPS_PROXY` send `CONNECT login.S:443` (RFC 9110, section 9.3.6) and speak TLS
//! through it as if name and port existed, so nothing has to resolve and no port below 1024 has to be bound. What is
//! not below the zone is refused: a command has no other network inside a private machine either.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{Zone, bridge};

/// More than any client's CONNECT with its headers.
const HEAD_MAX_BYTES: usize = 8192;
/// A client that opens a connection says at once what it wants.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Clients mean port 443; the site may listen elsewhere.
const PORT: &str = "443";

/// Serves the connections of `door` until dropped: names of `zone` lead to `site`.
pub async fn serve(door: TcpListener, zone: Zone, site: SocketAddr) {
    let zone = Arc::new(zone);
    bridge::each(&door, move |near| {
        let zone = Arc::clone(&zone);
        async move {
            if let Err(error) = converse(near, &zone, site).await {
                tracing::debug!(%error, "proxy: a connection ended");
            }
        }
    })
    .await;
}

async fn converse(mut near: TcpStream, zone: &Zone, site: SocketAddr) -> std::io::Result<()> {
    let (head, rest) = match timeout(HEAD_WITHIN, head(&mut near)).await {
        Ok(read) => read?,
        Err(_) => return refuse(&mut near, "408 Request Timeout", "no request came").await,
    };
    let name = match target(&head) {
        Ok(name) => name,
        Err((status, why)) => return refuse(&mut near, status, why).await,
    };
    if !zone.contains(&name) {
        return refuse(&mut near, "403 Forbidden", "only the site's own names can be reached").await;
    }
    let Ok(mut far) = TcpStream::connect(site).await else {
        return refuse(&mut near, "502 Bad Gateway", "the site does not answer").await;
    };
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    far.write_all(&rest).await?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// The request's head, and what the client sent behind it without waiting.
async fn head(near: &mut TcpStream) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut read = Vec::new();
    loop {
        let searched = read.len();
        if near.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let from = searched.saturating_sub(END.len() - 1);
        if let Some(at) = read[from..].windows(END.len()).position(|window| window == END) {
            let rest = read.split_off(from + at + END.len());
            return Ok((read, rest));
        }
        if read.len() > HEAD_MAX_BYTES {
            return Err(std::io::Error::other("the request's head is too long"));
        }
    }
}

/// The name a CONNECT asks for.
fn target(head: &[u8]) -> Result<String, (&'static str, &'static str)> {
    const MALFORMED: (&str, &str) = ("400 Bad Request", "the request cannot be read");
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).map_err(|_| MALFORMED)?.split(' ');
    let (Some(method), Some(authority), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(MALFORMED);
    };
    if method != "CONNECT" {
        return Err((
            "405 Method Not Allowed",
            "this proxy takes CONNECT only: the site is reached over https",
        ));
    }
    match authority.rsplit_once(':') {
        Some((name, PORT)) if version.starts_with("HTTP/1.") => Ok(name.to_owned()),
        Some(_) if version.starts_with("HTTP/1.") => Err(("403 Forbidden", "only port 443 can be reached")),
        _ => Err(MALFORMED),
    }
}

async fn refuse(near: &mut TcpStream, status: &str, why: &str) -> std::io::Result<()> {
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{why}\n"
    );
    near.write_all(answer.as_bytes()).await?;
    near.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connect_to_port_443_names_a_target() {
        let name = |line: &str| {
            target(format!("{line}\r\nHost: x\r\n\r\n").as_bytes()).map_err(|(status, _)| status)
        };
        assert_eq!(name("CONNECT login.s:443 HTTP/1.1"), Ok("login.s".to_owned()));
        assert_eq!(name("CONNECT login.s:22 HTTP/1.1"), Err("403 Forbidden"));
        assert_eq!(name("GET http://login.s/ HTTP/1.1"), Err("405 Method Not Allowed"));
        for bad in
            ["", "CONNECT", "CONNECT login.s:443", "CONNECT login.s HTTP/1.1", "CONNECT a b:443 HTTP/1.1"]
        {
            assert_eq!(name(bad), Err("400 Bad Request"), "{bad}");
        }
        assert_eq!(target(b"CONNECT \xff:443 HTTP/1.1\r\n\r\n").unwrap_err().0, "400 Bad Request");
    }

    /// A site that answers each connection's first four bytes with `pong`, and a proxy before it.
    async fn proxied() -> (SocketAddr, tokio::task::JoinSet<()>) {
        let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, proxy) = (site.local_addr().unwrap(), door.local_addr().unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(serve(door, Zone::new().under("countersign.localhost"), at));
        tasks.spawn(async move {
            while let Ok((mut client, _)) = site.accept().await {
                let mut heard = [0; 4];
                client.read_exact(&mut heard).await.unwrap();
                client.write_all(b"pong").await.unwrap();
            }
        });
        (proxy, tasks)
    }

    async fn ask(proxy: SocketAddr, sent: &str) -> String {
        let mut client = TcpStream::connect(proxy).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        // A refused client may be cut off with a reset.
        let _ = client.read_to_end(&mut heard).await;
        String::from_utf8(heard).unwrap()
    }

    #[tokio::test]
    async fn names_of_the_site_are_connected_and_early_bytes_are_not_lost() {
        let (proxy, _tasks) = proxied().await;
        let heard = ask(proxy, "CONNECT kv.vault.countersign.localhost:443 HTTP/1.1\r\n\r\nping").await;
        assert_eq!(heard, "HTTP/1.1 200 Connection established\r\n\r\npong");
    }

    #[tokio::test]
    async fn no_other_name_is_reached() {
        let (proxy, _tasks) = proxied().await;
        for name in ["169.254.169.254", "localhost", "evilcountersign.localhost", "login.microsoftonline.com"]
        {
            let heard = ask(proxy, &format!("CONNECT {name}:443 HTTP/1.1\r\n\r\n")).await;
            assert!(heard.starts_with("HTTP/1.1 403 "), "{name}: {heard}");
        }
        let endless = ask(proxy, &"x".repeat(HEAD_MAX_BYTES * 2)).await;
        assert_eq!(endless, "");
    }
}
