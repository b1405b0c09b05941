//! Clusters of HSMs that live in this process: they have a user with a password in each HSM, and fail when they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{ClusterFailure, HsmFailure, KeyStoreId};
use trent_gate::{
    ClusterAnswer, ClusterTarget, Clusters, FromHsm, HsmAnswer, HsmCiphertext, HsmOutcomes, KeyInHsm,
    Settled, TokenTarget,
};

/// The HSMs of a test, by the serial numbers of their tokens.
#[derive(Debug, Default)]
pub struct TestClusters {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    passwords: BTreeMap<String, String>,
    failures: BTreeMap<String, ClusterFailure>,
    stuck: BTreeSet<String>,
    breaks_off_after: Option<usize>,
    stalled: bool,
    open: BTreeMap<KeyStoreId, Vec<String>>,
    away: BTreeMap<KeyStoreId, Vec<String>>,
    refusing: BTreeMap<KeyStoreId, Vec<String>>,
    tries: Vec<(String, String)>,
    wakers: Vec<std::task::Waker>,
    /// By HSM and key: the label.
    keys: BTreeMap<(String, HsmKeyId), String>,
    unsettled: BTreeSet<HsmKeyId>,
    failing: Option<HsmFailure>,
    encrypted: u32,
}

impl TestClusters {
    /// Adds an HSM, or sets the password of the user in one.
    pub fn set_password(&self, serial: &str, password: &str) {
        self.state().passwords.insert(serial.to_owned(), password.to_owned());
    }

    /// The password of the user in an HSM.
    pub fn password(&self, serial: &str) -> String {
        self.state().passwords.get(serial).cloned().expect("an HSM of this serial number")
    }

    /// Has an HSM fail from now on, or not.
    pub fn fail(&self, serial: &str, failure: Option<ClusterFailure>) {
        let mut state = self.state();
        match failure {
            Some(failure) => state.failures.insert(serial.to_owned(), failure),
            None => state.failures.remove(serial),
        };
    }

    /// Has an HSM let the user in, and not change the password.
    pub fn stick(&self, serial: &str, sticks: bool) {
        let mut state = self.state();
        if sticks {
            state.stuck.insert(serial.to_owned())
        } else {
            state.stuck.remove(serial)
        };
    }

    /// Breaks the change of a password off after so many HSMs, or not.
    pub fn break_off_after(&self, hsms: Option<usize>) {
        self.state().breaks_off_after = hsms;
    }

    /// Lets logins wait, or go on.
    pub fn stall(&self, stalled: bool) {
        let mut state = self.state();
        state.stalled = stalled;
        for waker in std::mem::take(&mut state.wakers) {
            waker.wake();
        }
    }

    /// Whether a login waits.
    pub fn is_anybody_waiting(&self) -> bool {
        !self.state().wakers.is_empty()
    }

    /// The passwords that were tried, with the serial number; and forgets them.
    pub fn take_tries(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().tries)
    }

    /// Has whatever is done with keys in HSMs fail from now on, or not.
    pub fn fail_keys(&self, failure: Option<HsmFailure>) {
        self.state().failing = failure;
    }

    /// The labels of the keys in an HSM.
    pub fn keys(&self, serial: &str) -> Vec<String> {
        let state = self.state();
        state.keys.iter().filter(|((at, _), _)| at == serial).map(|(_, label)| label.clone()).collect()
    }

    /// Whether keys are being made or destroyed.
    pub fn has_unsettled_keys(&self) -> bool {
        !self.state().unsettled.is_empty()
    }

    /// Puts a key into an HSM, past trent.
    pub fn add_key(&self, serial: &str, id: [u8; 16], label: &str) {
        self.state().keys.insert((serial.to_owned(), HsmKeyId(id)), label.to_owned());
    }

    /// Takes all keys out of an HSM, past trent.
    pub fn empty(&self, serial: &str) {
        self.state().keys.retain(|(at, _), _| at != serial);
    }

    /// The HSMs that a key store is logged in to.
    pub fn logged_in(&self, store: &str) -> Vec<String> {
        let store = store.parse().expect("the id of a key store");
        self.state().open.get(&store).cloned().unwrap_or_default()
    }

    /// Ends all connections, as the end of a process does.
    pub fn lose_connections(&self) {
        let mut state = self.state();
        state.open.clear();
        state.away.clear();
        state.refusing.clear();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    fn try_all(&self, target: &ClusterTarget) -> Result<Vec<String>, ClusterFailure> {
        let mut state = self.state();
        let (mut let_in, mut away, mut refusing) = (Vec::new(), Vec::new(), Vec::new());
        let each: Vec<_> = target
            .tokens
            .iter()
            .map(|token| {
                let tried = state.try_one(token);
                let kind = match tried {
                    Ok(()) => &mut let_in,
                    Err(ClusterFailure::InvalidCredentials) => &mut refusing,
                    Err(_) => &mut away,
                };
                kind.push(token.serial.clone());
                tried
            })
            .collect();
        let overall = ClusterFailure::overall(&each);
        state.open.entry(target.store.clone()).or_default().extend(let_in.clone());
        state.away.insert(target.store.clone(), away);
        state.refusing.insert(target.store.clone(), refusing);
        overall.map(|()| let_in)
    }
}

impl State {
    fn try_one(&mut self, token: &TokenTarget) -> Result<(), ClusterFailure> {
        if let Some(failure) = self.failures.get(&token.serial) {
            return Err(*failure);
        }
        let password = self.passwords.get(&token.serial).cloned().ok_or(ClusterFailure::NoHsm)?;
        for tried in &token.passwords {
            let tried = String::from_utf8(tried.expose().clone()).expect("text");
            self.tries.push((token.serial.clone(), tried.clone()));
            if tried == password {
                return Ok(());
            }
        }
        Err(ClusterFailure::InvalidCredentials)
    }

    /// The HSMs that a key store is logged in to and that answer.
    fn answering(&self, store: &KeyStoreId) -> Result<Vec<String>, HsmFailure> {
        let let_in = self.open.get(store).cloned().ok_or(HsmFailure::Unreachable)?;
        Ok(let_in.into_iter().filter(|serial| !self.failures.contains_key(serial)).collect())
    }

    /// The HSM that a key can be used in.
    fn find(&self, store: &KeyStoreId, key: HsmKeyId) -> Result<String, HsmFailure> {
        let answering = self.answering(store)?;
        match self.failing {
            Some(failure) => Err(failure),
            None if answering.is_empty() => Err(HsmFailure::Unreachable),
            None => {
                let mut having =
                    answering.into_iter().filter(|serial| self.keys.contains_key(&(serial.clone(), key)));
                having.next().ok_or(HsmFailure::NoKey)
            }
        }
    }
}

/// The key in the HSMs is what it is called there.
fn cipher(key: HsmKeyId) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, digest(&SHA256, &key.0).as_ref()).expect("a key"))
}

impl Clusters for TestClusters {
    fn log_in(&self, target: ClusterTarget) -> ClusterAnswer<'_, ()> {
        Box::pin(std::future::poll_fn(move |context| {
            let mut state = self.state();
            if state.stalled {
                state.wakers.push(context.waker().clone());
                return std::task::Poll::Pending;
            }
            state.open.remove(&target.store);
            drop(state);
            let tried = self.try_all(&target).map(drop);
            if tried.is_err() {
                self.state().open.remove(&target.store);
            }
            std::task::Poll::Ready(tried)
        }))
    }

    fn rejoin(&self, mut target: ClusterTarget) -> ClusterAnswer<'_, Vec<String>> {
        let open = self.state().open.get(&target.store).cloned().unwrap_or_default();
        target.tokens.retain(|token| !open.contains(&token.serial));
        Box::pin(std::future::ready(self.try_all(&target)))
    }

    fn refusing(&self, store: &KeyStoreId) -> Option<Vec<String>> {
        self.state().refusing.get(store).cloned()
    }

    fn unreachable<'a>(&'a self, _: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn forgive(&self, store: &KeyStoreId) {
        let mut state = self.state();
        let forgiven = state.refusing.remove(store).unwrap_or_default();
        state.away.entry(store.clone()).or_default().extend(forgiven);
    }

    fn change_password<'a>(
        &'a self,
        store: &'a KeyStoreId,
        new: SecretBytes,
    ) -> ClusterAnswer<'a, Vec<String>> {
        let mut state = self.state();
        let let_in = state.open.get(store).cloned().unwrap_or_default();
        let new = String::from_utf8(new.expose().clone()).expect("text");
        let mut have = Vec::new();
        for serial in let_in {
            if state.breaks_off_after == Some(have.len()) {
                state.open.remove(store);
                return Box::pin(std::future::ready(Err(ClusterFailure::Internal)));
            }
            if !state.stuck.contains(&serial) {
                state.passwords.insert(serial.clone(), new.clone());
                have.push(serial);
            }
        }
        Box::pin(std::future::ready(if have.is_empty() { Err(ClusterFailure::Internal) } else { Ok(have) }))
    }

    fn random<'a>(&'a self, store: &'a KeyStoreId, length: usize) -> ClusterAnswer<'a, FromHsm<SecretBytes>> {
        let state = self.state();
        let let_in = state.open.get(store).cloned().unwrap_or_default();
        let works = |serial: &String| !state.failures.contains_key(serial);
        let made = let_in.into_iter().find(works).map(|serial| {
            let bytes: Vec<u8> = serial.bytes().cycle().take(length).collect();
            FromHsm { answer: SecretBytes::from(bytes), serial }
        });
        Box::pin(std::future::ready(made.ok_or(ClusterFailure::Network)))
    }

    fn answering<'a>(&'a self, store: &'a KeyStoreId) -> HsmAnswer<'a, Vec<String>> {
        Box::pin(std::future::ready(self.state().answering(store)))
    }

    fn generate_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
        label: String,
    ) -> HsmAnswer<'a, ()> {
        Box::pin(async move {
            {
                let mut state = self.state();
                state.answering(store)?;
                if let Some(failure) = state.failing {
                    return Err(failure);
                }
                state.unsettled.insert(key);
                state.keys.extend(serials.into_iter().map(|serial| ((serial, key), label.clone())));
            }
            while self.state().stalled {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }

    fn encrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        plaintext: &'a [u8],
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<HsmCiphertext>> {
        Box::pin(async move {
            let mut state = self.state();
            let serial = state.find(store, key)?;
            state.encrypted += 1;
            let mut iv = [0; 12];
            iv[..4].copy_from_slice(&state.encrypted.to_be_bytes());
            let (nonce, mut ciphertext) = (Nonce::assume_unique_for_key(iv), plaintext.to_vec());
            cipher(key)
                .seal_in_place_append_tag(nonce, Aad::from(additional_data), &mut ciphertext)
                .expect("sealed");
            Ok(FromHsm { answer: HsmCiphertext { iv, ciphertext }, serial })
        })
    }

    fn decrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        ciphertext: HsmCiphertext,
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<Option<SecretBytes>>> {
        Box::pin(async move {
            let serial = self.state().find(store, key)?;
            let HsmCiphertext { iv, mut ciphertext } = ciphertext;
            let nonce = Nonce::assume_unique_for_key(iv);
            let opened = cipher(key).open_in_place(nonce, Aad::from(additional_data), &mut ciphertext);
            Ok(FromHsm { answer: opened.ok().map(|opened| SecretBytes::from(opened.to_vec())), serial })
        })
    }

    fn destroy_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> HsmOutcomes<'a> {
        let mut state = self.state();
        let answering = state.answering(store).unwrap_or_default();
        let destroyed = serials.into_iter().map(|serial| {
            let destroyed = if answering.contains(&serial) {
                state.keys.remove(&(serial.clone(), key));
                Ok(())
            } else {
                Err(HsmFailure::Unreachable)
            };
            (serial, destroyed)
        });
        Box::pin(std::future::ready(destroyed.collect()))
    }

    fn discard_key(&self, _: &KeyStoreId, key: HsmKeyId) {
        let mut state = self.state();
        state.keys.retain(|(_, id), _| *id != key);
        state.unsettled.remove(&key);
    }

    fn keep_key(&self, key: HsmKeyId) {
        self.state().unsettled.remove(&key);
    }

    fn unsettled_keys(&self) -> BTreeSet<HsmKeyId> {
        self.state().unsettled.clone()
    }

    fn settled(&self) -> Settled<'_> {
        Box::pin(std::future::ready(()))
    }

    fn keys_in<'a>(&'a self, store: &'a KeyStoreId, serial: &'a str) -> HsmAnswer<'a, Vec<KeyInHsm>> {
        let state = self.state();
        let listed = state.answering(store).and_then(|answering| {
            let is_there = answering.iter().any(|known| known == serial);
            is_there.then_some(()).ok_or(HsmFailure::Unreachable)?;
            let there = state.keys.iter().filter(|((at, _), _)| at == serial);
            Ok(there.map(|((_, id), label)| KeyInHsm { id: *id, label: label.clone() }).collect())
        });
        Box::pin(std::future::ready(listed))
    }

    fn wants_login(&self, store: &KeyStoreId) -> bool {
        let state = self.state();
        !state.open.contains_key(store) || state.away.get(store).is_some_and(|away| !away.is_empty())
    }

    fn log_out<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        self.state().open.remove(store);
        Box::pin(std::future::ready(Ok(())))
    }
}
