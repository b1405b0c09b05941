//! Asking the system about names, a few times at once for each name.
//!
//! The system answers in its own time, in a thread that nothing can call back: whoever asked may have given up long before.
//! Invariant: a name that is not answered takes no more such threads than these, however often it is asked for, and leaves
//! the others to everybody else. Of many who ask for a name at once, those who have to wait take the answer that another
//! one gets meanwhile.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How often the system is asked about one name at once.
const AT_ONCE: usize = 4;

// The threads are the process's, whoever asks: a proxy that is tried has no client yet.
static LOOKUPS: Lookups<Vec<SocketAddr>> = Lookups(Mutex::new(BTreeMap::new()));

/// The addresses of `host:port`.
pub(crate) async fn look_up(target: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = target.parse() {
        return Ok(vec![address]);
    }
    let name = target.to_owned();
    LOOKUPS.seated(target, async move { Ok(lookup_host(name).await?.collect()) }).await
}

/// The names that are being asked for.
struct Lookups<T>(Mutex<BTreeMap<String, Weak<Name<T>>>>);

struct Name<T> {
    seats: Semaphore,
    /// The newest answer, and when it came.
    answer: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone + Send + 'static> Lookups<T> {
    /// Runs a lookup to its end, also when nobody waits for it any more; or takes the answer of another one, which came
    /// while this one waited for a seat.
    async fn seated(
        &self,
        name: &str,
        lookup: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let (name, asked) = (self.name(name), Instant::now());
        let seat = name.seats.acquire().await.map_err(io::Error::other)?;
        if let Some((came, answer)) = &*name.answer.lock()
            && *came > asked
        {
            return Ok(answer.clone());
        }
        // Kept until the system has answered, whoever waits: given back there.
        seat.forget();
        let seated = Seated(Arc::clone(&name));
        let looking = tokio::spawn(async move {
            let answer = lookup.await?;
            *seated.0.answer.lock() = Some((Instant::now(), answer.clone()));
            Ok(answer)
        });
        looking.await?
    }

    fn name(&self, name: &str) -> Arc<Name<T>> {
        let mut names = self.0.lock();
        if let Some(known) = names.get(name).and_then(Weak::upgrade) {
            return known;
        }
        names.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Name { seats: Semaphore::new(AT_ONCE), answer: Mutex::default() });
        names.insert(name.to_owned(), Arc::downgrade(&new));
        new
    }
}

/// A seat that was taken for a lookup.
struct Seated<T>(Arc<Name<T>>);

impl<T> Drop for Seated<T> {
    fn drop(&mut self) {
        self.0.seats.add_permits(1);
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
    async fn who_waits_takes_the_answer_of_another() {
        let lookups = Arc::new(Lookups(Mutex::default()));
        let asked = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (lookups, asked) = (Arc::clone(&lookups), Arc::clone(&asked));
            tokio::spawn(async move {
                let lookup = async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(asked.fetch_add(1, Ordering::Relaxed))
                };
                lookups.seated("one", lookup).await.unwrap()
            })
        };
        let all: Vec<_> = (0..200).map(|_| ask()).collect();
        let begun = Instant::now();
        for one in all {
            one.await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
        assert_eq!(asked.load(Ordering::Relaxed), AT_ONCE);
        // Whoever asks afterwards is told what is so then.
        assert_eq!(ask().await.unwrap(), AT_ONCE);
    }

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
