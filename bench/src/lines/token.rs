//! What a token costs the server beside the signature it cannot do without.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
use http::StatusCode;

use crate::{
    line::{Aim, Figure, Line, Outcome, in_turns},
    load::hammer,
    process::own_processor_time,
    site::{MANAGEMENT, Site},
};

pub struct Token;

const CONNECTIONS: usize = 8;
const TURN: Duration = Duration::from_millis(1500);
const SIGNING: Duration = Duration::from_millis(700);

impl Line for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn about(&self) -> &'static str {
        "server processor time of a client-credentials token, beside a bare RSA-2048 signature"
    }

    fn measure(&self) -> Result<Outcome> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key was made"))?;
        let site = Site::start()?;
        let (login, form) = (site.login()?, site.token_request(MANAGEMENT)?.1);
        let token = || {
            let before = site.process.processor_time()?;
            let run = hammer(&login, CONNECTIONS, TURN, async |connection, _, _| {
                let (request, _) = site.token_request(MANAGEMENT)?;
                connection.expect(request, form.clone(), StatusCode::OK).await.map(drop)
            })?;
            Ok((site.process.processor_time()? - before).as_secs_f64() * 1e6 / run.operations as f64)
        };
        let rounds = in_turns(|| signature(&key), token)?;
        Ok(Outcome::Measured(Figure::beside(&rounds, "us", Aim::RatioAtMost(1.4))))
    }
}

/// Microseconds of processor time of one signature.
fn signature(key: &KeyPair) -> Result<f64> {
    let chance = SystemRandom::new();
    let mut signature = vec![0; key.public_modulus_len()];
    let (before, started, mut count) = (own_processor_time()?, Instant::now(), 0);
    while started.elapsed() < SIGNING {
        key.sign(&RSA_PKCS1_SHA256, &chance, &[7; 600], &mut signature)
            .map_err(|_| anyhow!("no signature was made"))?;
        count += 1;
    }
    Ok((own_processor_time()? - before).as_secs_f64() * 1e6 / f64::from(count))
}
