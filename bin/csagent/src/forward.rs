//! `csagent forward`: inside a container or network namespace, the address where clients look; behind it, the socket of a
//! source. A socket is found through the file system and so crosses namespaces.

use std::net::SocketAddr;

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{
    cli::ForwardArgs,
    failure::{Attempt, Failure},
    ports, run,
};

pub async fn forward(args: ForwardArgs) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).attempt("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).attempt("listening for signals")?;
    let mut passing = JoinSet::new();
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in &args.listen {
        let inside = TcpListener::bind(address)
            .await
            .map_err(|error| ports::taken(*address, "choose another with --listen", &error))?;
        addresses.extend(inside.local_addr().ok());
        passing.spawn(cs_sandbox::bridge::forward(inside, args.to.clone()));
    }
    if let Some(file) = &args.ready_file {
        run::write_ready(file, &serde_json::json!({"listen": addresses, "to": args.to}))?;
    }
    run::notify("READY=1");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    if let Some(file) = &args.ready_file {
        drop(std::fs::remove_file(file));
    }
    Ok(())
}
