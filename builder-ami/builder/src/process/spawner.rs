//! One thread starts all programs, and lives as long as the process.
//!
//! Linux sends the signal for a parent's death when the *thread* that forked ends. Threads of a runtime come and go; this
//! one does not, so what it starts is killed when the builder dies, even by SIGKILL, and never before.

use std::{
    io,
    sync::{OnceLock, mpsc},
};

use tokio::{process::Child, runtime::Handle, sync::oneshot};

struct Job {
    command: tokio::process::Command,
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

/// Starts a program from the thread that lives on.
pub(super) async fn spawn(command: tokio::process::Command) -> io::Result<Child> {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        // Without the thread the receiver is gone, and each spawn below says so.
        let _ = std::thread::Builder::new().name("spawner".to_owned()).spawn(move || serve(queue));
        jobs
    });
    let gone = || io::Error::other("the thread that starts programs is gone");
    let (started, answer) = oneshot::channel();
    jobs.send(Job { command, runtime: Handle::current(), started }).map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn serve(queue: mpsc::Receiver<Job>) {
    for Job { mut command, runtime, started } in queue {
        let _inside = runtime.enter();
        // Nobody waits any more when the task was stopped meanwhile; its sweep finds the program by its mark.
        let _ = started.send(command.spawn());
    }
}
