//! The proxy on the way: whether it is there, and whether it lets us through (RFC 9110, 9.3.6 and 11.7).

use std::time::Duration;

use hyper_util::client::proxy::matcher::Intercept;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// A status line is shorter; whatever is longer is something else.
const STATUS_LINE_MAX_BYTES: u64 = 512;

/// Asks for a tunnel to `target` (`host:port`), and says what is wrong where there is none. Only proxies that are spoken
/// to in the clear are asked; what others say is in the error of the request that follows.
pub(super) async fn knock(proxy: &Intercept, target: &str) -> Result<(), String> {
    let uri = proxy.uri();
    if uri.scheme_str() != Some("http") {
        return Ok(());
    }
    let host = uri.host().unwrap_or_default();
    // 80 is what requests take too.
    let at = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let credentials = proxy.basic_auth().and_then(|value| value.to_str().ok());
    let line = match timeout(PATIENCE, status_line(&at, target, credentials)).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(format!("the proxy {at} is not reached: {error}")),
        Err(_) => return Err(format!("the proxy {at} does not answer (a firewall?)")),
    };
    judge(&line, &at, target, credentials.is_some())
}

async fn status_line(at: &str, target: &str, credentials: Option<&str>) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let authorization = credentials.map(|c| format!("Proxy-Authorization: {c}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut line, mut stream) = (Vec::new(), stream.take(STATUS_LINE_MAX_BYTES));
    while !line.ends_with(b"\n") {
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn judge(line: &str, at: &str, target: &str, with_credentials: bool) -> Result<(), String> {
    let mut words = line.split(' ');
    let status = words.next().filter(|version| version.starts_with("HTTP/1.")).and_then(|_| words.next());
    let Some(status) = status.and_then(|s| s.parse::<u16>().ok()) else {
        return Err(format!("what answers at {at} is no HTTP proxy"));
    };
    match status {
        200..=299 => Ok(()),
        407 if with_credentials => {
            Err(format!("the proxy {at} takes neither the name nor the password it was given (407)"))
        }
        407 => Err(format!(
            "the proxy {at} asks for a name and a password (407): put them into its address, http://NAME:PASSWORD@HOST:PORT"
        )),
        500..=599 => Err(format!("the proxy {at} does not get through to {target} ({status})")),
        _ => Err(format!(
            "the proxy {at} refuses to connect to {target} ({status}): it has to allow that, or proxy.bypass and NO_PROXY have to name the site"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_says_is_told_with_what_helps() {
        let said = |line, with| {
            judge(line, "proxy:3128", "site:443", with).err().unwrap_or_else(|| "fine".to_owned())
        };
        assert_eq!(said("HTTP/1.1 200 Connection established", false), "fine");
        assert!(said("HTTP/1.1 407 Proxy Authentication Required", false).contains("NAME:PASSWORD@"));
        assert!(said("HTTP/1.0 407 x", true).contains("neither"));
        assert!(said("HTTP/1.1 403 Forbidden", false).contains("refuses to connect to site:443 (403)"));
        assert!(said("HTTP/1.1 502 Bad Gateway", false).contains("does not get through"));
        for other in ["", "SSH-2.0-OpenSSH_9.2", "HTTP/2", "HTTP/1.1 abc"] {
            assert!(said(other, false).contains("no HTTP proxy"), "{other}");
        }
    }
}
