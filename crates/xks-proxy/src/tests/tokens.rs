//! Keys in tokens, with tokens that are a list in memory: which are made, which destroyed, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use trent_crypto::SecretBytes;
use trent_xks::response::{HealthStatus, Instance};

use super::{Bench, add_key};
use crate::{Answering, Command, ManagerError, Reply, TokenKey, TokenKeyFacts, TokenSealed, Tokens};

/// The keys of one token, by identifier. It encrypts nothing.
#[derive(Default)]
struct Listed {
    keys: Mutex<BTreeMap<String, String>>,
    away: Mutex<bool>,
    /// Whether what it makes does not encrypt.
    misfits: Mutex<bool>,
}

impl Listed {
    fn answer<T>(
        &self,
        answer: impl FnOnce(&mut BTreeMap<String, String>) -> Option<T>,
    ) -> Result<T, ManagerError> {
        if *self.away.lock() {
            return Err(ManagerError::Failed("away".to_owned()));
        }
        answer(&mut self.keys.lock()).ok_or(ManagerError::NotFound)
    }

    fn ids(&self) -> Vec<String> {
        self.keys.lock().keys().cloned().collect()
    }
}

impl Tokens for Listed {
    fn make<'a>(&'a self, token: &'a str, label: &'a str) -> Answering<'a, TokenKey> {
        Box::pin(async move {
            self.answer(|keys| {
                let id = format!("{:02}", keys.len());
                keys.insert(id.clone(), label.to_owned());
                Some(TokenKey { token: token.to_owned(), id: Some(id), label: None })
            })
        })
    }

    fn find<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, TokenKeyFacts> {
        Box::pin(async move {
            self.answer(|keys| {
                let is = |wanted: &Option<String>, has: &String| wanted.as_ref().is_none_or(|it| it == has);
                let mut named = keys.iter().filter(|(id, label)| is(&key.id, id) && is(&key.label, label));
                let encrypt = named.next()?.1 != "decrypts only" && !*self.misfits.lock();
                Some(TokenKeyFacts { bits: Some(256), encrypt, decrypt: true })
            })
        })
    }

    fn destroy<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, ()> {
        Box::pin(async move { self.answer(|keys| keys.remove(key.id.as_deref()?).map(drop)) })
    }

    fn encrypt<'a>(&'a self, _: &'a TokenKey, _: &'a [u8], _: &'a [u8]) -> Answering<'a, TokenSealed> {
        Box::pin(async { Err(ManagerError::Busy) })
    }

    fn decrypt<'a>(&'a self, _: &'a TokenKey, _: TokenSealed, _: &'a [u8]) -> Answering<'a, SecretBytes> {
        Box::pin(async { Err(ManagerError::Busy) })
    }

    fn health<'a>(&'a self, _: &'a str) -> Answering<'a, Instance> {
        Box::pin(std::future::pending())
    }
}

fn add(name: &str, usage: &[&str], id: Option<&str>) -> Command {
    let Command::AddKey { store, id: key, usage, rules, .. } = add_key("one", name, usage) else { panic!() };
    let token = TokenKey { token: "hsm".to_owned(), id: id.map(str::to_owned), label: None };
    Command::AddKey { store, id: key, usage, rules, material: None, token: Some(token) }
}

#[tokio::test]
async fn what_was_made_in_a_token_is_destroyed_with_its_key_and_what_was_there_is_not() {
    let tokens = Arc::new(Listed::default());
    tokens.keys.lock().insert("aa".to_owned(), "theirs".to_owned());
    tokens.keys.lock().insert("bb".to_owned(), "decrypts only".to_owned());
    let bench = Bench::with(Arc::clone(&tokens) as _).await;
    bench.done(add("made", &["ENCRYPT", "DECRYPT"], None)).await;
    bench.done(add("found", &["ENCRYPT", "DECRYPT"], Some("aa"))).await;
    bench.done(add("other", &["DECRYPT"], Some("bb"))).await;
    let refused = bench.refused(add("wrong", &["ENCRYPT"], Some("bb"))).await;
    assert_eq!(refused, "the token's key does not encrypt");
    let rotate =
        Command::RotateKey { store: "one".to_owned(), id: "made".to_owned(), material: None, token: None };
    let Reply::Keys { keys } = bench.done(rotate).await else { panic!() };
    assert_eq!(keys[0].version, 2);
    assert_eq!(tokens.keys.lock().values().filter(|label| label.starts_with("one/made ")).count(), 2);
    for id in ["made", "found"] {
        let (store, id) = ("one".to_owned(), id.to_owned());
        bench.done(Command::DeleteKey { store, id, window_days: 7 }).await;
    }
    *bench.clock.0.lock() += 7 * 24 * 60 * 60 * 1000;

    *tokens.away.lock() = true;
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(1), "one has nothing in the token that must go");
    *tokens.away.lock() = false;
    // One of the two has gone already, by another's hand.
    let first = tokens.keys.lock().iter().find(|(_, label)| *label == "one/made 1").unwrap().0.clone();
    tokens.keys.lock().remove(&first);
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(1));
    assert_eq!(tokens.ids(), ["aa", "bb"]);
}

fn delete(name: &str) -> Command {
    Command::DeleteKey { store: "one".to_owned(), id: name.to_owned(), window_days: 7 }
}

#[tokio::test]
async fn a_key_of_a_token_stays_while_another_external_key_uses_it() {
    let tokens = Arc::new(Listed::default());
    let bench = Bench::with(Arc::clone(&tokens) as _).await;
    bench.done(add("by-id", &["ENCRYPT"], None)).await;
    bench.done(add("by-label", &["ENCRYPT"], None)).await;
    bench.done(add("alone", &["ENCRYPT"], None)).await;
    bench.done(add("user", &["ENCRYPT"], Some("00"))).await;
    let mut labelled = add("labelled", &["ENCRYPT"], None);
    if let Command::AddKey { token: Some(token), .. } = &mut labelled {
        token.label = Some("one/by-label 1".to_owned());
    }
    bench.done(labelled).await;
    for id in ["by-id", "by-label", "alone"] {
        bench.done(delete(id)).await;
    }
    *bench.clock.0.lock() += 7 * 24 * 60 * 60 * 1000;
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(3));
    assert_eq!(tokens.ids(), ["00", "01"]);
}

#[tokio::test]
async fn a_key_that_is_due_is_not_kept_any_more() {
    let tokens = Arc::new(Listed::default());
    let bench = Bench::with(Arc::clone(&tokens) as _).await;
    bench.done(add("made", &["ENCRYPT"], None)).await;
    let cancel = || Command::CancelKeyDeletion { store: "one".to_owned(), id: "made".to_owned() };
    bench.done(delete("made")).await;
    bench.done(cancel()).await;
    bench.done(delete("made")).await;
    *bench.clock.0.lock() += 7 * 24 * 60 * 60 * 1000;
    *tokens.away.lock() = true;
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(0));
    assert!(bench.refused(cancel()).await.contains("may be destroyed already"));
}

#[tokio::test]
async fn what_was_made_and_is_not_fit_is_destroyed() {
    let tokens = Arc::new(Listed::default());
    let bench = Bench::with(Arc::clone(&tokens) as _).await;
    *tokens.misfits.lock() = true;
    assert_eq!(bench.refused(add("made", &["ENCRYPT"], None)).await, "the token's key does not encrypt");
    assert!(tokens.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_does_not_tell_how_it_is_keeps_nobody_waiting() {
    let bench = Bench::with(Arc::new(Listed::default())).await;
    bench.done(add("made", &["ENCRYPT"], None)).await;
    let started = tokio::time::Instant::now();
    let told = bench.proxy.manager.health("one").await.unwrap();
    let told: Vec<_> = told.iter().map(|one| (one.id.as_str(), one.health_status)).collect();
    assert_eq!(told, [("database", HealthStatus::Active), ("token hsm", HealthStatus::Unavailable)]);
    assert!(started.elapsed() < Duration::from_millis(250));
}
