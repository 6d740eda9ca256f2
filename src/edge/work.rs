//! Long work: where it is done, so that short requests need not wait for it.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// So many bytes are gone through in less than a millisecond, about.
const SHORT: usize = 256 << 10;

/// Turns at long work: no more of it at once than the machine has cores.
#[derive(Debug)]
pub struct Work {
    turns: Semaphore,
}

impl Default for Work {
    fn default() -> Self {
        Work { turns: Semaphore::new(available_parallelism().map_or(1, NonZero::get)) }
    }
}

impl Work {
    /// Does work on so many bytes; what is long waits for its turn and keeps no other task of this thread waiting.
    pub async fn on<T>(&self, bytes: usize, work: impl FnOnce() -> T) -> T {
        if bytes <= SHORT {
            return work();
        }
        // Nobody closes it.
        let _turn = self.turns.acquire().await;
        apart(work)
    }
}

/// The same at once, where nothing can be waited for.
pub fn at_once<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes <= SHORT { work() } else { apart(work) }
}

/// While this thread works, another one does what else it had to do.
fn apart<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    if flavor.is_ok_and(|flavor| flavor == RuntimeFlavor::MultiThread) {
        block_in_place(work)
    } else {
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn long_work_keeps_no_other_task_waiting() {
        let (sender, receiver) = channel();
        let long = tokio::spawn(async move {
            let wait = move || receiver.recv_timeout(Duration::from_secs(60));
            Work::default().on(SHORT + 1, wait).await
        });
        tokio::spawn(async move { sender.send("done meanwhile") }).await.unwrap().unwrap();
        assert_eq!(long.await.unwrap(), Ok("done meanwhile"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_of_it_is_done_at_once_than_there_are_turns() {
        let work = Arc::new(Work { turns: Semaphore::new(1) });
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks = (0..8).map(|_| {
            let (work, now, most) = (work.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let count = || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                work.on(SHORT + 1, count).await;
            })
        });
        futures_util::future::join_all(tasks.collect::<Vec<_>>()).await;
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }
}
