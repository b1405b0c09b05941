//! Jobs: what is run again and again until the process ends.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// How long runs that go on side by side may take once they are to end.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Runs the jobs again and again.
pub(crate) struct Jobs {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Jobs {
    /// Runs them each `interval`, one run after the other.
    pub(crate) fn start<R>(interval: Duration, mut run: impl FnMut() -> R + Send + 'static) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => break,
                    () = tokio::time::sleep(interval) => {}
                }
                // On a task of its own: a run that panics is not the last.
                if tokio::spawn(run()).await.is_err() {
                    tracing::error!("a job panicked; jobs are run again");
                }
            }
        });
        Self { stop, task }
    }

    /// Runs them each `interval`, and whenever what `wanted` gives is done, and waits for no run to end before the next: each
    /// leaves alone what another is at. Those that are under way at the end have a moment, and then they are cut.
    pub(crate) fn start_side_by_side<W, R>(
        interval: Duration,
        mut wanted: impl FnMut() -> W + Send + 'static,
        mut run: impl FnMut() -> R + Send + 'static,
    ) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut runs = JoinSet::new();
            loop {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => break,
                    () = tokio::time::sleep(interval) => {}
                    () = wanted() => {}
                }
                runs.spawn(run());
                while let Some(ended) = runs.try_join_next() {
                    if ended.is_err() {
                        tracing::error!("a job panicked; jobs are run again");
                    }
                }
            }
            let all = async { while runs.join_next().await.is_some() {} };
            if timeout(LAST_MOMENT, all).await.is_err() {
                tracing::warn!("jobs were cut in the middle");
            }
        });
        Self { stop, task }
    }

    /// Lets a run that is under way end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        if self.task.await.is_err() {
            tracing::error!("the jobs had ended before");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn jobs_go_on_after_one_that_panicked() {
        let runs = Arc::new(AtomicUsize::new(0));
        let jobs = Jobs::start(Duration::from_secs(5), {
            let runs = Arc::clone(&runs);
            move || {
                let before = runs.fetch_add(1, SeqCst);
                async move { assert!(before > 0, "the first run panics") }
            }
        });
        tokio::time::sleep(Duration::from_secs(16)).await;
        jobs.stop().await;
        assert_eq!(runs.load(SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_hangs_keeps_neither_the_next_nor_the_end_waiting() {
        let (runs, started) = (Arc::new(AtomicUsize::new(0)), tokio::time::Instant::now());
        let jobs = Jobs::start_side_by_side(Duration::from_secs(5), std::future::pending, {
            let runs = Arc::clone(&runs);
            move || {
                runs.fetch_add(1, SeqCst);
                std::future::pending()
            }
        });
        tokio::time::sleep(Duration::from_secs(16)).await;
        jobs.stop().await;
        assert_eq!(runs.load(SeqCst), 3);
        assert_eq!(started.elapsed(), Duration::from_secs(16) + LAST_MOMENT);
    }
}
