//! Socket activation: systemd binds the ports, as root and before anything of ours runs, and hands them over. So nobody
//! can take a port while the agent restarts (A27), callers wait instead of being refused, and the agent is never root.

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// What `FileDescriptorName=` of the socket units says.
const NAMES: &str = "LISTEN_FDNAMES";
const IMDS: &str = "imds";

/// Listeners that were there before us, each with its name.
pub struct Inherited(Vec<(String, TcpListener)>);

impl Inherited {
    /// Those meant for this process; none where it was not started so.
    pub fn take() -> Self {
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut given = ListenFd::from_env();
        let all = (0..given.len()).filter_map(|at| {
            let listener = given.take_tcp_listener(at).ok().flatten()?;
            listener.set_nonblocking(true).ok()?;
            let listener = TcpListener::from_std(listener).ok()?;
            Some((names.split(':').nth(at).unwrap_or_default().to_owned(), listener))
        });
        Self(all.collect())
    }

    /// HIMDS on its addresses: whatever is not called otherwise.
    pub fn himds(&mut self) -> Option<Vec<TcpListener>> {
        let (ours, others) = std::mem::take(&mut self.0).into_iter().partition(|(name, _)| name != IMDS);
        self.0 = others;
        let ours: Vec<_> = Vec::into_iter(ours).map(|(_, listener): (String, _)| listener).collect();
        (!ours.is_empty()).then_some(ours)
    }

    pub fn imds(&mut self) -> Option<TcpListener> {
        let at = self.0.iter().position(|(name, _)| name == IMDS)?;
        Some(self.0.swap_remove(at).1)
    }
}
