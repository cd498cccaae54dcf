//! Who holds the other end of a connection, for the log.
//!
//! The kernel names the socket's user and number before the answer (`owner.rs`), so that what is found later is of this
//! socket and no other, even when the port has another owner by then. The process is looked for away from the threads
//! that answer: one look serves all who wait for one, and is good for every socket that the process has. A request
//! waits for its look, because a program that was started to ask once is gone when it has its answer, but no longer
//! than [`PATIENCE`]: then the answer goes first, and the line is written when the look has ended.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cs_broker::Process;
use cs_time::Timestamp;
use tokio::sync::oneshot;

use crate::{
    owner::{self, Ends, Owner},
    processes::{self, Held},
};

/// A look at a few hundred processes takes a fifth of it.
const PATIENCE: Duration = Duration::from_millis(5);
/// Processes that are looked at before all others.
const RECENT_MAX: usize = 16;
/// Connections, sockets and waiting requests that are remembered.
const KNOWN_MAX: usize = 4096;
/// What is known of a connection is good for so many microseconds.
const KNOWN_MICROS: i64 = 1_000_000;
/// What a look has found of other sockets is good for so many microseconds: their numbers are used again, if only
/// after four billion.
const SIBLING_MICROS: i64 = 60_000_000;

/// A connection over TCP, told from every other one of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub number: u64,
    pub ends: Ends,
}

/// What is known when the answer goes.
#[derive(Default)]
pub(crate) struct Seen {
    pub user: Option<u32>,
    pub process: Arc<Process>,
    /// The look that has not ended yet.
    pub later: Option<oneshot::Receiver<Arc<Process>>>,
}

/// Looks, and what they have found.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    known: Mutex<HashMap<u64, Known>>,
    /// By the number of a connection: the user alone and when it was told, in microseconds, where nobody looks for processes.
    users: Mutex<HashMap<u64, (u32, i64)>>,
    search: Mutex<Search>,
}

/// By the number of a connection.
#[derive(Clone)]
struct Known {
    owner: Owner,
    looked_micros: i64,
    holder: Holder,
}

/// Who held a socket when it was looked for, and what the kernel then called its program. One that is not found is
/// remembered too: an agent that may not see others' processes looks once.
#[derive(Clone, Default)]
struct Holder {
    process: Arc<Process>,
    program: Option<PathBuf>,
}

#[derive(Default)]
struct Search {
    is_under_way: bool,
    waiting: Vec<Waiting>,
    /// By the kernel's number of a socket: what processes that were found held beside what was looked for.
    siblings: HashMap<u64, (Holder, i64)>,
    /// The processes, the last one first: whoever has asked asks again, over new connections too.
    recent: VecDeque<u32>,
}

/// A request whose caller is looked for.
struct Waiting {
    number: u64,
    owner: Owner,
    micros: i64,
    to: oneshot::Sender<Arc<Process>>,
}

impl Looks {
    /// The user of a connection's other end, as it was within the last second.
    pub(crate) fn user(&self, connection: Option<Connection>, now: Timestamp) -> Option<u32> {
        let Connection { number, ends } = connection?;
        let micros = now.micros();
        if let Some(known) = self.0.known(number).filter(|k| k.is_fresh(micros)) {
            return Some(known.owner.user);
        }
        let users = || self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((user, _)) = users().get(&number).filter(|(_, told)| is_fresh(*told, micros)) {
            return Some(*user);
        }
        // Without the lock: where the kernel's answer is a file, reading it takes its time.
        let user = owner::of(ends)?.user;
        let mut users = users();
        if users.len() >= KNOWN_MAX {
            users.clear();
        }
        users.insert(number, (user, micros));
        Some(user)
    }

    /// The socket's user as it was within the last second, and the process that was found to hold it: asked again over the
    /// same connection it is not looked for again, while it runs the same program.
    pub(crate) async fn holder(&self, connection: Option<Connection>, now: Timestamp) -> Seen {
        let Some(Connection { number, ends }) = connection else { return Seen::default() };
        let micros = now.micros();
        let known = self.0.known(number);
        if let Some(known) = known.as_ref().filter(|k| k.is_fresh(micros)) {
            return Seen::of(known.owner, &known.holder);
        }
        let Some(owner) = owner::of(ends) else { return Seen::default() };
        let same = known.map(|k| (k.owner, k.holder)).filter(|(o, h)| *o == owner && h.is_same_program());
        let there = same.map(|(_, holder)| holder).or_else(|| self.0.search().sibling(owner, micros));
        if let Some(holder) = there {
            let seen = Seen::of(owner, &holder);
            self.0.remember(number, Known { owner, looked_micros: micros, holder });
            return seen;
        }
        let (to, mut found) = oneshot::channel();
        self.search(Waiting { number, owner, micros, to });
        let user = Some(owner.user);
        match tokio::time::timeout(PATIENCE, &mut found).await {
            Ok(process) => Seen { user, process: process.unwrap_or_default(), later: None },
            Err(_) => Seen { user, process: Arc::default(), later: Some(found) },
        }
    }

    /// Whoever comes first starts a look, and goes on looking for those who came meanwhile.
    fn search(&self, waiting: Waiting) {
        let mut search = self.0.search();
        // One too many is dropped here, and whoever waits hears that nobody was found.
        if search.waiting.len() < KNOWN_MAX {
            search.waiting.push(waiting);
        }
        if !std::mem::replace(&mut search.is_under_way, true) {
            tokio::spawn(Arc::clone(&self.0).look());
        }
    }
}

impl Seen {
    fn of(owner: Owner, holder: &Holder) -> Self {
        Self { user: Some(owner.user), process: Arc::clone(&holder.process), later: None }
    }
}

impl Shared {
    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, number: u64) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    fn remember(&self, number: u64, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KNOWN_MAX {
            all.clear();
        }
        all.insert(number, known);
    }

    async fn look(self: Arc<Self>) {
        loop {
            let (batch, recent) = {
                let mut search = self.search();
                let batch = std::mem::take(&mut search.waiting);
                if batch.is_empty() {
                    search.is_under_way = false;
                    return;
                }
                (batch, Vec::from(search.recent.clone()))
            };
            // What the look before has found beside what it was for.
            let (found, rest): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|w| (self.search().sibling(w.owner, w.micros), w))
                .partition(|(holder, _)| holder.is_some());
            found.into_iter().for_each(|(holder, w)| self.tell(w, holder.unwrap_or_default()));
            let wanted: HashSet<u64> = rest.iter().map(|(_, w)| w.owner.inode).collect();
            let these = wanted.clone();
            let looked = tokio::task::spawn_blocking(move || processes::holders(these, &recent)).await;
            let micros = rest.iter().map(|(_, w)| w.micros).max().unwrap_or_default();
            self.search().keep(looked.unwrap_or_default(), &wanted, micros);
            for (_, waiting) in rest {
                let holder = self.search().sibling(waiting.owner, waiting.micros);
                self.tell(waiting, holder.unwrap_or_default());
            }
        }
    }

    fn tell(&self, waiting: Waiting, holder: Holder) {
        let Waiting { number, owner, micros, to } = waiting;
        // Who has gone away needs no word.
        drop(to.send(Arc::clone(&holder.process)));
        self.remember(number, Known { owner, looked_micros: micros, holder });
    }
}

impl Known {
    fn is_fresh(&self, now: i64) -> bool {
        is_fresh(self.looked_micros, now)
    }
}

fn is_fresh(then: i64, now: i64) -> bool {
    (0..KNOWN_MICROS).contains(&(now - then))
}

impl Holder {
    /// Another program may run in its place by now.
    fn is_same_program(&self) -> bool {
        self.process.pid.is_none_or(|pid| processes::program_of(pid) == self.program)
    }
}

impl Search {
    fn sibling(&self, owner: Owner, now: i64) -> Option<Holder> {
        let (holder, looked) = self.siblings.get(&owner.inode)?;
        let is_good = (now - looked).abs() < SIBLING_MICROS && holder.is_same_program();
        is_good.then(|| holder.clone())
    }

    /// What was looked for, and no more than [`KNOWN_MAX`] others: a process may hold a million sockets.
    fn keep(&mut self, looked: Vec<Held>, wanted: &HashSet<u64>, micros: i64) {
        if self.siblings.len() + looked.iter().map(|h| h.sockets.len()).sum::<usize>() > KNOWN_MAX {
            self.siblings.clear();
        }
        let mut room = KNOWN_MAX - self.siblings.len().min(KNOWN_MAX);
        for held in looked {
            let pid = held.process.pid;
            let holder = Holder { process: Arc::new(held.process), program: held.program };
            for inode in held.sockets {
                let is_wanted = wanted.contains(&inode);
                if is_wanted || room > 0 {
                    room -= usize::from(!is_wanted);
                    self.siblings.insert(inode, (holder.clone(), micros));
                }
            }
            self.recent.retain(|known| Some(*known) != pid);
            pid.into_iter().for_each(|pid| self.recent.push_front(pid));
            self.recent.truncate(RECENT_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn connected(listener: &TcpListener, number: u64) -> (TcpStream, Connection) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ends = Ends { peer: client.local_addr().unwrap(), local: client.peer_addr().unwrap() };
        (client, Connection { number, ends })
    }

    async fn pid(seen: Seen) -> Option<u32> {
        match seen.later {
            Some(later) => later.await.unwrap().pid,
            None => seen.process.pid,
        }
    }

    #[tokio::test]
    async fn all_who_ask_at_once_are_named_by_one_look() {
        let (looks, listener) = (Looks::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        let now = Timestamp::from_seconds(1_800_000_000);
        let all: Vec<_> = (0..100).map(|number| connected(&listener, number)).collect();
        let mut asking = tokio::task::JoinSet::new();
        for (_, connection) in &all {
            let (looks, connection) = (looks.clone(), Some(*connection));
            asking.spawn(async move { looks.holder(connection, now).await });
        }
        let (me, user) = (Some(std::process::id()), Some(nix::unistd::geteuid().as_raw()));
        let mut waited = 0;
        for seen in asking.join_all().await {
            waited += usize::from(seen.user == user);
            assert_eq!(pid(seen).await, me);
        }
        assert_eq!(waited, 100, "the user is known before the answer");
        assert_eq!(looks.user(Some(all[0].1), now), user);
        // A connection that comes later is of a process that was found before.
        let (_later, connection) = connected(&listener, 100);
        assert_eq!(pid(looks.holder(Some(connection), now).await).await, me);
        assert!(looks.0.known(100).is_some());
        assert_eq!(looks.0.search().recent, [std::process::id()]);
    }

    #[test]
    fn a_user_is_asked_for_once_a_second() {
        let (looks, listener) = (Looks::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        let at = |micros| Timestamp::from_micros(1_800_000_000_000_000 + micros);
        let (client, connection) = connected(&listener, 1);
        let (open, _) = listener.accept().unwrap();
        let me = Some(nix::unistd::geteuid().as_raw());
        assert_eq!(looks.user(Some(connection), at(0)), me);
        drop(client);
        assert_eq!(looks.user(Some(connection), at(KNOWN_MICROS - 1)), me, "remembered");
        assert_eq!(looks.user(Some(connection), at(KNOWN_MICROS)), None, "asked again");
        assert_eq!(looks.user(Some(connection), at(-1)), None, "a clock that was put back remembers nothing");
        drop(open);
    }

    #[test]
    fn a_process_with_many_sockets_leaves_room() {
        let mut search = Search::default();
        let many = 3 * KNOWN_MAX as u64;
        for wanted in [many - 1, 2 * many - 1] {
            let held = Held {
                process: Process::default(),
                program: None,
                sockets: (wanted + 1 - many..=wanted).collect(),
            };
            search.keep(vec![held], &HashSet::from([wanted]), 0);
            assert!(search.siblings.contains_key(&wanted), "what was looked for");
            assert_eq!(search.siblings.len(), KNOWN_MAX + 1);
        }
    }

    #[tokio::test]
    async fn a30_a_port_that_is_used_again_is_another_connection() {
        let (looks, listener) = (Looks::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        let now = Timestamp::from_seconds(1_800_000_000);
        let (client, connection) = connected(&listener, 1);
        assert_eq!(pid(looks.holder(Some(connection), now).await).await, Some(std::process::id()));
        let (open, _) = listener.accept().unwrap();
        drop(client);
        let user = looks.user(Some(connection), now);
        assert_eq!(user, Some(nix::unistd::geteuid().as_raw()));
        let again = Connection { number: 2, ..connection };
        assert_eq!(looks.user(Some(again), now), None, "nobody, for bounds too");
        let seen = looks.holder(Some(again), now).await;
        assert_eq!((seen.user, pid(seen).await), (None, None), "nobody, whoever was there before");
        drop(open);
    }
}
