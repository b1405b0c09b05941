//! Work that may neither take for ever nor take the connection down with it.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::{Instant, Sleep, sleep_until};

/// Why work gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It was not done in time, and was dropped.
    Deadline,
    /// It panicked.
    Panic,
}

/// The result of `work`, if it comes before `deadline`.
///
/// Most work never waits for anything but the body of its request, and that is nearly always there by the second
/// time one looks. So no timer is set before then; the second look is asked for here.
pub(crate) async fn guarded<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut work = pin!(work);
    let mut asked_again = false;
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        // What the panic left half done is dropped with the work; state that outlives it is behind locks that
        // are taken back when poisoned.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(Poll::Ready(done)) => return Poll::Ready(Ok(done)),
            Ok(Poll::Pending) => {}
            Err(payload) => {
                tracing::error!(panic = message(&*payload), "a request panicked");
                return Poll::Ready(Err(Failure::Panic));
            }
        }
        if !asked_again {
            asked_again = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| Err(Failure::Deadline))
    })
    .await
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_caught() {
        let soon = Instant::now() + Duration::from_secs(1);
        let result: Result<(), Failure> = guarded(soon, async { panic!("caught") }).await;
        assert_eq!(result, Err(Failure::Panic));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cut_at_its_deadline() {
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(guarded(soon, std::future::pending::<()>()).await, Err(Failure::Deadline));
        assert_eq!(Instant::now(), soon);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_waits_a_while_is_done() {
        let soon = Instant::now() + Duration::from_secs(10);
        let work = async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            7
        };
        assert_eq!(guarded(soon, work).await, Ok(7));
    }
}
