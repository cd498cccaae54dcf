//! Draining: listeners stop accepting, requests under way finish, then everything ends.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Shared by all listeners of a process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    signal: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything to stop.
    pub fn begin(&self) {
        self.signal.cancel();
    }

    /// Resolves once [`Self::begin`] was called.
    pub async fn begun(&self) {
        self.signal.cancelled().await;
    }

    pub fn has_begun(&self) -> bool {
        self.signal.is_cancelled()
    }

    /// Runs a task that [`Self::drained`] waits for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Waits until all tasks have ended, at most so long. `false` when some had not.
    pub async fn drained(&self, at_most: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(at_most, self.tasks.wait()).await.is_ok()
    }
}
