//! The way to the site: names, connections, certificates, the clock.

use std::{net::IpAddr, time::Duration};

use cs_time::{Clock, MachineClock};
use reqwest::Url;

use super::{Found, Row, Way, proxy};
use crate::{
    config::Settings,
    entra,
    failure::{Failure, chain},
    issuer::seconds_ahead,
    site,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// The site refuses assertions that are further from its own time, in seconds.
const SKEW_SECONDS: u64 = 300;

pub(super) async fn rows(address: &str, ca: Option<&str>, settings: &Settings) -> Result<Vec<Row>, Failure> {
    let client = site::client(ca, settings)?;
    if entra::is_authority(address) {
        let discovery = format!("{address}/common/.well-known/openid-configuration");
        let (row, clock) = look(&client, &discovery, settings).await;
        return Ok(std::iter::once(row).chain(clock.map(clock_row)).collect());
    }
    let mut rows =
        vec![look(&client, &format!("{address}/metadata/endpoints?api-version=2022-09-01"), settings).await];
    let mut clock = None;
    if rows[0].0.found != Found::Bad {
        clock = rows[0].1;
        if let Ok(cloud) = site::discover(&client, address).await {
            let discovery = format!("{}/common/.well-known/openid-configuration", cloud.authority);
            rows.push(look(&client, &discovery, settings).await);
        }
    }
    let mut rows: Vec<Row> = rows.into_iter().map(|(row, _)| row).collect();
    rows.extend(clock.map(clock_row));
    Ok(rows)
}

fn clock_row(ahead: i64) -> Row {
    match ahead {
        0 => Row::new("clock", Found::Good, "this machine's time is the site's"),
        _ => {
            let far = ahead.unsigned_abs() >= SKEW_SECONDS;
            let which = if ahead > 0 { "behind" } else { "ahead of" };
            let detail = format!(
                "this machine is {} s {which} the site: set its clock, or have it kept right by NTP",
                ahead.unsigned_abs()
            );
            Row::new("clock", if far { Found::Bad } else { Found::Note }, detail)
        }
    }
}

/// What is at an address, and how far its clock is ahead of ours.
async fn look(client: &reqwest::Client, url: &str, settings: &Settings) -> (Row, Option<i64>) {
    let parsed = Url::parse(url).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    let port = parsed.as_ref().and_then(Url::port_or_known_default).unwrap_or(443);
    let through = site::proxy_to(url, settings);
    let set = if through.is_some() { "set" } else { "not set" };
    let mut way = Way { reached: false, private: false, tls: "-", proxy: set };
    let what = format!("https://{host}:{port}");
    let row = |found, way, detail: String| Row { what: what.clone(), found, way: Some(way), detail };
    let bare = host.trim_matches(['[', ']']);
    let on_the_way = match &through {
        Some(through) => proxy::knock(through, &format!("{host}:{port}")).await,
        None => reach(bare, port).await.map(|private| way.private = private),
    };
    if let Err(wrong) = on_the_way {
        let past = site::passed_by(settings).filter(|_| through.is_none());
        let past = past.map(|list| format!(" (no proxy is used for it: see {list})")).unwrap_or_default();
        return (row(Found::Bad, way, wrong + &past), None);
    }
    match client.get(url).timeout(PATIENCE).send().await {
        Ok(response) => {
            (way.reached, way.tls) = (true, "valid");
            let ahead = seconds_ahead(response.headers(), MachineClock.now());
            let status = response.status();
            if status.is_success() {
                return (row(Found::Good, way, "answers".to_owned()), ahead);
            }
            (
                row(Found::Bad, way, format!("answers {status}: this is not the site, or it is not well")),
                ahead,
            )
        }
        Err(error) => {
            let text = chain(&error);
            let explained = site::explain(&text);
            way.reached = explained.is_some();
            way.tls = if explained.is_some() { "invalid" } else { "-" };
            (row(Found::Bad, way, explained.map_or(text.clone(), |e| format!("{e} ({text})"))), None)
        }
    }
}

/// Whether every address of a name is one of a private network; that something listens there.
async fn reach(host: &str, port: u16) -> Result<bool, String> {
    let private = match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => found.map(|a| a.ip()).all(is_private),
        Ok(Err(error)) => return Err(format!("the name does not resolve: {error}")),
        Err(_) => return Err("resolving the name takes too long".to_owned()),
    };
    match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(private),
        Ok(Err(error)) => Err(format!("no connection: {error}")),
        Err(_) => Err("nothing answers there (a firewall?)".to_owned()),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        assert_eq!(clock_row(0).found, Found::Good);
        assert_eq!((clock_row(120).found, clock_row(-3600).found), (Found::Note, Found::Bad));
        assert!(clock_row(120).detail.contains("behind") && clock_row(-3600).detail.contains("ahead of"));
    }

    #[test]
    fn certificates_are_explained() {
        assert!(site::explain("invalid peer certificate: UnknownIssuer").unwrap().contains("--ca-file"));
        assert!(site::explain("invalid peer certificate: certificate expired").unwrap().contains("clock"));
        assert_eq!(site::explain("connection refused"), None);
    }
}
