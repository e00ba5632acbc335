//! What runs now, and whether there is room for more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use toji_protocol::{
    id::TaskId,
    method::worker::{ClaimedTask, Lease},
};
use tokio::sync::watch;

use crate::subtask::Waits;

/// Cancel orders for tasks that are not here yet are remembered; so many.
const EARLY_ORDERS: usize = 64;

/// Why a task is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was cancelled.
    Canceled,
    /// It is no longer ours.
    Lost,
    /// The builder stops: the task is handed back.
    Shutdown,
}

/// What the builder is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Taking tasks.
    Taking,
    /// Ending those that it has.
    Draining,
    /// Handing back those that it has.
    Stopping,
}

/// The tasks that run, and the room that is left.
pub(super) struct Running {
    state: Mutex<State>,
    max_jobs: usize,
    /// One task, whatever it does, is all that is ever taken.
    only_one: bool,
    /// Tells who waits that something has changed.
    changes: watch::Sender<()>,
}

struct State {
    phase: Phase,
    capacity: f64,
    is_open: bool,
    tasks: HashMap<Lease, Entry>,
    /// Claims on their way.
    claims: usize,
    /// Tasks that have ended, but whose folders are still being deleted.
    clearing: usize,
    /// Attempts that were to stop before they were here.
    early: Vec<(Lease, Stop)>,
}

struct Entry {
    weight: f64,
    stop: watch::Sender<Option<Stop>>,
    waits: Arc<Waits>,
}

/// A task that was taken.
pub(super) struct Taken {
    /// Says when it is to stop.
    pub(super) stopped: watch::Receiver<Option<Stop>>,
    /// Whether it waits for subtasks.
    pub(super) waits: Arc<Waits>,
}

/// The right to one claim. Given back when dropped.
pub(super) struct Room<'a>(&'a Running);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.claims -= 1);
    }
}

impl Running {
    pub(super) fn new(capacity: f64, max_jobs: usize) -> Self {
        let state = State {
            phase: Phase::Taking,
            capacity,
            is_open: true,
            tasks: HashMap::new(),
            claims: 0,
            clearing: 0,
            early: Vec::new(),
        };
        Self { state: Mutex::new(state), max_jobs, only_one: false, changes: watch::Sender::new(()) }
    }

    /// The same for a builder that does one task only.
    pub(super) fn only_one(self, only_one: bool) -> Self {
        Self { only_one, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_replace(());
        result
    }

    fn has_room(&self, state: &State) -> bool {
        // The hub decides what fits; this is only whether asking makes sense.
        let busy = || state.tasks.values().filter(|task| !task.waits.is_waiting());
        let load: f64 = busy().map(|task| task.weight).sum();
        let jobs = busy().count() + state.claims;
        let fits = busy().next().is_none() || load < state.capacity;
        if self.only_one && state.tasks.len() + state.claims > 0 {
            return false;
        }
        state.phase == Phase::Taking && state.is_open && jobs < self.max_jobs && fits
    }

    /// The right to a claim, if there is room for its task.
    pub(super) fn room(&self) -> Option<Room<'_>> {
        let mut state = self.state();
        let has_room = self.has_room(&state);
        has_room.then(|| {
            state.claims += 1;
            Room(self)
        })
    }

    /// Waits until there is room.
    pub(super) async fn until_room(&self) {
        self.until(|state| self.has_room(state)).await;
    }

    /// Waits until a drained builder has nothing left to do.
    pub(super) async fn drained(&self) {
        self.until(|state| state.phase == Phase::Draining && state.is_quiet()).await;
    }

    /// Waits until nothing runs.
    pub(super) async fn quiet(&self) {
        self.until(State::is_quiet).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        let mut changes = self.changes.subscribe();
        while !condition(&self.state()) {
            // The sender is ours: it does not go.
            let _ = changes.changed().await;
        }
    }

    /// Notes a task that was claimed. None when it is here already, or the builder stops.
    pub(super) fn add(&self, task: &ClaimedTask) -> Option<Taken> {
        let lease = lease(task);
        self.change(|state| {
            if state.phase == Phase::Stopping || state.tasks.contains_key(&lease) {
                return None;
            }
            let early = state.early.iter().find(|(early, _)| *early == lease).map(|(_, stop)| *stop);
            let (stop, stopped) = watch::channel(early);
            let waits = Arc::new(Waits::new(self.changes.clone()));
            state.tasks.insert(lease, Entry { weight: task.weight, stop, waits: Arc::clone(&waits) });
            Some(Taken { stopped, waits })
        })
    }

    /// Whether the builder stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.state().phase == Phase::Stopping
    }

    /// Notes that a task has ended, and that its folder is about to be deleted.
    pub(super) fn remove(&self, lease: Lease) {
        self.change(|state| {
            state.tasks.remove(&lease);
            state.clearing += 1;
        });
    }

    /// Notes that a task's folder was deleted.
    pub(super) fn cleared(&self) {
        self.change(|state| state.clearing -= 1);
    }

    /// Stops one attempt.
    pub(super) fn stop(&self, lease: Lease, stop: Stop) {
        self.change(|state| match state.tasks.get(&lease) {
            Some(task) => task.tell(stop),
            None => {
                state.early.push((lease, stop));
                let old = state.early.len().saturating_sub(EARLY_ORDERS);
                state.early.drain(..old);
            }
        });
    }

    /// A subtask of an attempt has ended.
    pub(super) fn wake(&self, lease: Lease) {
        if let Some(task) = self.state().tasks.get(&lease) {
            task.waits.wake();
        }
    }

    /// Stops everything.
    pub(super) fn stop_all(&self, stop: Stop) {
        self.change(|state| state.tasks.values().for_each(|task| task.tell(stop)));
    }

    /// All that runs.
    pub(super) fn leases(&self) -> Vec<Lease> {
        self.state().tasks.keys().copied().collect()
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        // A builder that stops does not begin to drain.
        self.change(|state| {
            if state.phase != Phase::Stopping {
                state.phase = phase;
            }
        });
    }

    pub(super) fn set_capacity(&self, capacity: f64) {
        self.change(|state| state.capacity = capacity);
    }

    /// Whether the machine was fit for tasks when it was looked at last.
    pub(super) fn is_open(&self) -> bool {
        self.state().is_open
    }

    /// Notes whether the machine is fit for tasks.
    pub(super) fn set_open(&self, is_open: bool) {
        if self.state().is_open != is_open {
            self.change(|state| state.is_open = is_open);
        }
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.tasks.is_empty() && self.claims == 0 && self.clearing == 0
    }
}

impl Entry {
    /// The first reason stands.
    fn tell(&self, stop: Stop) {
        self.stop.send_if_modified(|told| {
            let is_first = told.is_none();
            *told = told.or(Some(stop));
            is_first
        });
    }
}

/// The attempt of a task.
pub(super) fn lease(task: &ClaimedTask) -> Lease {
    let task_id: TaskId = task.id;
    Lease { task_id, attempt: task.attempt }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: i64, attempt: i32, weight: f64) -> ClaimedTask {
        ClaimedTask {
            id: TaskId(id),
            attempt,
            method: "sleep".to_owned(),
            request: Vec::new(),
            arch: "noarch".to_owned(),
            weight,
            owner: 1.into(),
            parent: None,
        }
    }

    #[test]
    fn room_is_by_weight_and_number() {
        let running = Running::new(2.0, 3);
        assert!(running.room().is_some());
        let first = task(1, 1, 1.5);
        running.add(&first).unwrap();
        let claim = running.room().unwrap();
        running.add(&task(2, 1, 0.4)).unwrap();
        assert!(running.room().is_none(), "two tasks and a claim are three jobs");
        drop(claim);
        assert!(running.room().is_some());
        running.set_capacity(1.9);
        assert!(running.room().is_none(), "a full host has no room");
        running.remove(lease(&first));
        assert!(running.room().is_some());
        running.set_open(false);
        assert!(running.room().is_none());
        running.set_open(true);
        running.set_phase(Phase::Draining);
        assert!(running.room().is_none());
    }

    #[test]
    fn an_empty_host_takes_anything_once() {
        let running = Running::new(2.0, 10);
        let heavy = task(1, 1, 50.0);
        assert!(running.add(&heavy).is_some());
        assert!(running.add(&heavy).is_none(), "a claim that was answered twice is one task");
        assert!(running.room().is_none());
    }

    #[test]
    fn orders_meet_their_attempt() {
        let running = Running::new(2.0, 10);
        let stopped = running.add(&task(1, 2, 1.0)).unwrap().stopped;
        running.stop(lease(&task(1, 1, 1.0)), Stop::Canceled);
        assert_eq!(*stopped.borrow(), None, "an order for an older attempt");
        running.stop(lease(&task(1, 2, 1.0)), Stop::Canceled);
        running.stop_all(Stop::Shutdown);
        assert_eq!(*stopped.borrow(), Some(Stop::Canceled), "the first reason stands");
        // The order overtook the claim's answer.
        running.stop(lease(&task(2, 1, 1.0)), Stop::Canceled);
        assert_eq!(*running.add(&task(2, 1, 1.0)).unwrap().stopped.borrow(), Some(Stop::Canceled));
    }

    #[tokio::test]
    async fn drained_when_the_last_folder_is_gone() {
        let running = Running::new(2.0, 10);
        let only = task(1, 1, 1.0);
        running.add(&only).unwrap();
        running.set_phase(Phase::Draining);
        running.remove(lease(&only));
        assert!(futures::FutureExt::now_or_never(running.drained()).is_none());
        running.cleared();
        running.drained().await;
        running.set_phase(Phase::Stopping);
        assert!(running.add(&task(2, 1, 1.0)).is_none() && running.is_stopping());
    }
}
