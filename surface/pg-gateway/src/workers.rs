//! Threads of the gateway: one a core, each with its own event loop.
//!
//! A session's work between two waits is a few microseconds. On a runtime that shares tasks among threads each such
//! piece may wake another thread; here a session stays where it is and costs no more than its system calls.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tokio::{runtime::Builder, sync::oneshot};

pub(crate) struct Workers {
    all: Vec<Worker>,
    next: AtomicUsize,
}

struct Worker {
    handle: tokio::runtime::Handle,
    /// Dropped with its owner: then the thread ends.
    _stop: oneshot::Sender<()>,
}

impl Workers {
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let all = (0..count).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { all, next: AtomicUsize::new(0) })
    }

    /// Runs a task on the thread whose turn it is.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
        if let Some(worker) = self.all.get(turn) {
            worker.handle.spawn(task);
        }
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name(format!("pg-gateway-{number}")).spawn(move || {
            // An error means that the sender is gone, which is the signal.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, _stop: stop })
    }
}
