//! Asking the system about names, a few times at once for each name.
//!
//! The system answers in its own time, in a thread that nothing can call back: whoever asked may have given up long before.
//! Invariant: a name that is not answered takes no more such threads than these, however often it is asked for, and leaves
//! the others to everybody else.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;

/// How often the system is asked about one name at once.
const AT_ONCE: usize = 4;

// The threads are the process's, whoever asks: a proxy that is tried has no client yet.
static LOOKUPS: Lookups = Lookups(Mutex::new(BTreeMap::new()));

/// The addresses of `host:port`.
pub(crate) async fn look_up(target: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = target.parse() {
        return Ok(vec![address]);
    }
    let name = target.to_owned();
    LOOKUPS.seated(target, async move { Ok(lookup_host(name).await?.collect()) }).await
}

/// The seats of the names that are being asked for.
struct Lookups(Mutex<BTreeMap<String, Weak<Semaphore>>>);

impl Lookups {
    /// Runs a lookup to its end, also when nobody waits for it any more.
    async fn seated<T: Send + 'static>(
        &self,
        name: &str,
        lookup: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let seat = self.seats(name).acquire_owned().await.map_err(io::Error::other)?;
        let looking = tokio::spawn(async move {
            let _seat = seat;
            lookup.await
        });
        looking.await?
    }

    fn seats(&self, name: &str) -> Arc<Semaphore> {
        let mut names = self.0.lock();
        if let Some(seats) = names.get(name).and_then(Weak::upgrade) {
            return seats;
        }
        names.retain(|_, seats| seats.strong_count() > 0);
        let seats = Arc::new(Semaphore::new(AT_ONCE));
        names.insert(name.to_owned(), Arc::downgrade(&seats));
        seats
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lookups_that_hang_keep_their_seats_although_nobody_waits() {
        let (lookups, answered) = (Lookups(Mutex::default()), Arc::new(Notify::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = async |name: &str| {
            let (answered, asked) = (Arc::clone(&answered), Arc::clone(&asked));
            let lookup = lookups.seated(name, async move {
                asked.fetch_add(1, Ordering::Relaxed);
                answered.notified().await;
                Ok(())
            });
            timeout(Duration::from_millis(250), lookup).await.is_ok()
        };
        for _ in 0..20 {
            assert!(!ask("one").await);
        }
        assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE);
        // Those of others are free.
        assert!(!ask("two").await);
        assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE + 1);
        // The system answers at last.
        answered.notify_waiters();
        assert!(!ask("one").await);
        assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE + 2);
        assert_eq!(
            lookups.0.lock().len(),
            2,
            "names that nobody asks for are forgotten with the next new one"
        );
    }
}
