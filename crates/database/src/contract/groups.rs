//! Writes: each whole or not at all, all of them durable, told to the caches before they are answered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trent_domain::key::Key;

use super::{Subject, account, alias, plain_key, region};
use crate::{Change, DatabaseError, Observer};

/// An error of a body's own.
#[derive(Debug, PartialEq)]
struct No;

impl From<DatabaseError> for No {
    fn from(error: DatabaseError) -> Self {
        panic!("{error}")
    }
}

/// Keeps what it is told.
#[derive(Default)]
struct Journal(Mutex<Vec<Change>>);

impl Observer for Journal {
    fn publish(&self, changes: &[Change]) {
        // Slow enough that an answer would overtake it, if it could.
        std::thread::sleep(Duration::from_millis(20));
        self.0.lock().unwrap().extend(changes.iter().cloned());
    }
}

impl Journal {
    fn take(&self) -> Vec<Change> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub(crate) async fn a_body_that_fails_undoes_itself_alone(subject: Subject) {
    let writes = (1..=20).map(|number| {
        crate::write(&*subject.database, "test", move |records| {
            records.insert_key(&plain_key(number))?;
            if number % 2 == 0 { Err(No) } else { Ok(number) }
        })
    });
    // Submitted together, so that they share commits.
    for (number, answer) in (1..).zip(join(writes).await) {
        assert_eq!(answer.unwrap(), if number % 2 == 0 { Err(No) } else { Ok(number) });
        let key = plain_key(number);
        assert_eq!(subject.key(key.region, key.id).await.is_some(), number % 2 == 1, "{number}");
    }
}

pub(crate) async fn a_body_that_panics_undoes_itself_alone(subject: Subject) {
    let panicked = crate::write(&*subject.database, "explode", |records| {
        records.insert_key(&plain_key(1)).unwrap();
        if records.setting("absent").unwrap().is_none() {
            panic!("on purpose");
        }
        Ok::<_, No>(())
    })
    .await;
    assert!(matches!(panicked, Err(DatabaseError::Panicked("explode"))), "{panicked:?}");
    let key = plain_key(1);
    assert_eq!(subject.key(key.region, key.id).await, None);
    subject.insert([&key]).await;
    assert!(subject.key(key.region, key.id).await.is_some());
}

pub(crate) async fn a_write_goes_its_way_when_nobody_waits(subject: Subject) {
    let key = plain_key(1);
    let (place, id) = (key.region, key.id);
    let write =
        crate::write(&*subject.database, "test", move |records| Ok::<_, No>(records.insert_key(&key)?));
    // Polled once, then dropped, as hyper does when a client hangs up.
    let mut write = Box::pin(write);
    let once = std::future::poll_fn(|context| {
        let _ = write.as_mut().poll(context);
        std::task::Poll::Ready(())
    });
    once.await;
    drop(write);
    // A later write is answered after the earlier one was committed.
    subject.write(|records| records.put_setting("x", b"y")).await;
    assert!(subject.key(place, id).await.is_some());
}

pub(crate) async fn a_transaction_sees_what_it_has_written(subject: Subject) {
    let seen = subject.write(|records| {
        let key = plain_key(1);
        records.insert_key(&key)?;
        records.insert_alias(&alias("alias/a", &key))?;
        let changed = Key { description: "changed".to_owned(), ..key };
        records.update_key(&changed)?;
        let found = records.key(key.region, key.id)?.map(|key| (key.description, key.version));
        Ok((
            found,
            records.alias_count(key.region, key.id)?,
            records.customer_key_count(key.account, key.region)?,
        ))
    });
    assert_eq!(seen.await, (Some(("changed".to_owned(), 2)), 1, 1));
}

pub(crate) async fn many_writers_lose_nothing(subject: Subject) {
    let increments = (0..500).map(|_| {
        crate::write(&*subject.database, "count", |records| {
            let value =
                records.setting("count")?.map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()));
            records.put_setting("count", &(value + 1).to_be_bytes())?;
            Ok::<_, No>(value)
        })
    });
    let mut seen: Vec<u64> =
        join(increments).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..500).collect::<Vec<_>>());
}

pub(crate) async fn changes_are_published_before_the_answer(subject: Subject) {
    let journal = Arc::new(Journal::default());
    subject.database.observe(Arc::clone(&journal) as _);
    let (key, name) = (plain_key(1), alias("alias/a", &plain_key(1)));
    let (of_key, of_alias) =
        (Change::Key(key.region, key.id), Change::Alias(key.account, key.region, name.name.clone()));
    subject.insert([&key]).await;
    assert_eq!(journal.take(), std::slice::from_ref(&of_key));
    subject.write(move |records| records.insert_alias(&name)).await;
    assert_eq!(journal.take(), std::slice::from_ref(&of_alias));
    let (place, id) = (key.region, key.id);
    subject.write(move |records| records.delete_key(place, id)).await;
    assert_eq!(journal.take(), [of_key, of_alias]);
    subject
        .write(|records| records.delete_alias(account("111122223333"), region("eu-central-1"), "alias/a"))
        .await;
    assert_eq!(journal.take(), [], "nothing was there to delete");
}

pub(crate) async fn what_was_undone_is_not_published(subject: Subject) {
    let journal = Arc::new(Journal::default());
    subject.database.observe(Arc::clone(&journal) as _);
    let undone = crate::write(&*subject.database, "test", |records| {
        records.insert_key(&plain_key(1))?;
        Err::<(), _>(No)
    });
    assert_eq!(undone.await.unwrap(), Err(No));
    assert_eq!(journal.take(), []);
}

pub(crate) async fn a_read_sees_one_moment(subject: Subject) {
    subject.insert(&[plain_key(1)]).await;
    let (reading, written) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (progress, other) = (Arc::clone(&reading), Arc::clone(&written));
    let database = Arc::clone(&subject.database);
    let read = tokio::spawn(async move {
        crate::read(&*database, move |records| {
            let (owner, place) = (account("111122223333"), region("eu-central-1"));
            let before = records.customer_key_count(owner, place)?;
            progress.store(1, Ordering::SeqCst);
            while other.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            Ok((before, records.customer_key_count(owner, place)?))
        })
        .await
    });
    while reading.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    subject.insert(&[plain_key(2)]).await;
    written.store(1, Ordering::SeqCst);
    assert_eq!(read.await.unwrap().unwrap(), (1, 1));
}

/// Polls all of them before it waits for the first.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in &mut all {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        match all.iter().all(|(_, answer)| answer.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    all.into_iter().filter_map(|(_, answer)| answer).collect()
}
