//! The set of signing keys: never more than it may hold, never a key of a secret that is gone, and otherwise as if it
//! were not there.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use proptest::{collection::vec, prelude::*, sample::select};

use crate::{Lookup, Scope, SigningKey, SigningKeys};

const MESSAGE: &[u8] = b"string to sign";

fn scope<'s>(access_key_id: &'s str, date: &'s str) -> Scope<'s> {
    Scope { access_key_id, date, region: "us-east-1", service: "kms" }
}

/// What a server does: the key from the set, or derived and kept.
fn signature(keys: &SigningKeys, scope: Scope<'_>, secret: &str) -> [u8; 64] {
    keys.look_up(scope).or_derive(|| Ok::<_, ()>(secret)).unwrap().sign(MESSAGE)
}

fn derived(scope: Scope<'_>, secret: &str) -> [u8; 64] {
    SigningKey::derive(secret.as_bytes(), scope.date, scope.region, scope.service).sign(MESSAGE)
}

fn is_found(keys: &SigningKeys, scope: Scope<'_>) -> bool {
    matches!(keys.look_up(scope), Lookup::Found(_))
}

#[test]
fn the_set_is_bounded() {
    for entries_max in [0, 1, 32, 33, 100, 1000] {
        let keys = SigningKeys::new(entries_max);
        for number in 0..4000 {
            let _ = signature(&keys, scope(&number.to_string(), "20150830"), "secret");
            assert!(keys.len() <= entries_max.max(32), "{} keys of {entries_max}", keys.len());
        }
        assert!(!keys.is_empty());
        if entries_max == 1000 {
            assert!(keys.len() > 400, "the shards are used unevenly: {} keys", keys.len());
        }
    }
}

#[test]
fn what_is_used_stays() {
    let keys = SigningKeys::new(320);
    let used = scope("used", "20150830");
    let _ = signature(&keys, used, "secret");
    for number in 0..4000 {
        let _ = signature(&keys, scope(&number.to_string(), "20150830"), "secret");
        assert!(is_found(&keys, used), "gone after {number}");
    }
}

#[test]
fn a_key_is_found_for_its_own_scope_only() {
    let keys = SigningKeys::new(1000);
    let own = scope("a", "20150830");
    let _ = signature(&keys, own, "secret");
    assert!(is_found(&keys, own));
    for other in [
        Scope { access_key_id: "b", ..own },
        Scope { date: "20150831", ..own },
        Scope { region: "us-east-2", ..own },
        Scope { service: "sts", ..own },
        // The same texts, joined elsewhere.
        Scope { access_key_id: "a2", date: "0150830", ..own },
        Scope { region: "us-east-1k", service: "ms", ..own },
    ] {
        assert!(!is_found(&keys, other), "{other:?}");
    }
}

#[test]
fn all_keys_of_an_access_key_are_forgotten_and_no_others() {
    let keys = SigningKeys::new(4096);
    for day in 0..300 {
        for access_key_id in ["a", "b"] {
            let _ = signature(&keys, scope(access_key_id, &day.to_string()), "secret");
        }
    }
    let before = keys.len();
    keys.forget("a");
    assert!((0..300).all(|day| !is_found(&keys, scope("a", &day.to_string()))));
    assert_eq!(keys.len(), before / 2);
}

#[test]
fn a_key_derived_before_the_secret_changed_is_not_kept_after() {
    let keys = SigningKeys::new(1000);
    let own = scope("a", "20150830");
    let Lookup::Absent(vacancy) = keys.look_up(own) else { panic!("found") };
    keys.forget("a");
    // The answer to the request that came before is still the one by the old secret.
    assert_eq!(vacancy.fill(b"old").sign(MESSAGE), derived(own, "old"));
    assert_eq!(signature(&keys, own, "new"), derived(own, "new"));
}

#[test]
fn a_secret_that_cannot_be_read_leaves_nothing_behind() {
    let keys = SigningKeys::new(1000);
    let failed = keys.look_up(scope("a", "20150830")).or_derive(|| Err::<&str, _>("no such access key"));
    assert_eq!(failed.err(), Some("no such access key"));
    assert!(keys.is_empty());
}

/// While some threads look up keys, another changes the secret again and again. What is looked up after a change has
/// been made known must be made of the new secret.
#[test]
fn threads_do_not_find_keys_of_old_secrets() {
    let keys = SigningKeys::new(64);
    let secret = Mutex::new(0_u32);
    let own = scope("a", "20150830");
    let done = AtomicBool::new(false);
    let read = || secret.lock().unwrap().to_string();
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let _ = keys.look_up(own).or_derive(|| Ok::<_, ()>(read()));
                }
            });
        }
        for number in 1..=500 {
            *secret.lock().unwrap() = number;
            keys.forget("a");
            assert_eq!(signature(&keys, own, &number.to_string()), derived(own, &number.to_string()));
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_dummy_key_accepts_nothing_not_even_its_own_signature() {
    let dummy = SigningKey::dummy();
    assert!(!dummy.accepts(MESSAGE, &dummy.sign(MESSAGE)));
    let key = SigningKey::derive(b"secret", "20150830", "us-east-1", "kms");
    assert!(key.accepts(MESSAGE, &key.sign(MESSAGE)));
}

#[test]
fn a_set_says_nothing_of_its_keys() {
    let keys = SigningKeys::new(1000);
    let _ = signature(&keys, scope("AKIDEXAMPLE", "20150830"), "secret");
    assert_eq!(format!("{keys:?}"), "SigningKeys { entries: 1, .. }");
}

proptest! {
    /// Against a map of secrets: whatever was looked up, changed and forgotten before, a key is as if derived now.
    #[test]
    fn the_set_changes_no_signature(
        steps in vec((select(&["a", "b", "c"][..]), select(&["20150830", "20150831"][..]), 0_u8..10), 1..200),
        entries_max in 0_usize..100,
    ) {
        let keys = SigningKeys::new(entries_max);
        let mut secrets: HashMap<&str, usize> = HashMap::new();
        for (access_key_id, date, dice) in steps {
            let secret = secrets.entry(access_key_id).or_default();
            if dice == 0 {
                *secret += 1;
                keys.forget(access_key_id);
            }
            let secret = secret.to_string();
            let own = scope(access_key_id, date);
            prop_assert_eq!(signature(&keys, own, &secret), derived(own, &secret));
        }
    }
}
