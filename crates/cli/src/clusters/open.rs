//! A key store that is logged in to its HSMs: each call goes to one of them and, where that fails, to the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, MutexGuard, RwLock};
use trent_crypto::SecretBytes;
use trent_domain::key_store::ClusterFailure;
use trent_domain::quota::Bucket;
use trent_gate::FromHsm;
use trent_hsm::{Error, Pin, Replication, TokenError, Worker};

use super::Reached;
use super::ask::{Ask, Random};
use super::login::{Member, failure, is_refusal};
use super::rotation::{Fault, Rotation};
use crate::root_key::crash_point;

/// How often a call is made again after the worker has died under it, and how long it waits before the second time; each
/// next pause is twice as long. A worker that keeps dying is left alone for about as long.
const AGAIN: u32 = 4;
const PAUSE: Duration = Duration::from_millis(100);

/// See the top of the file.
pub(super) struct Open {
    pub(super) reached: Reached,
    worker: ArcSwap<Worker>,
    pub(super) rotation: Rotation,
    /// By serial number, held by whoever logs in to an HSM or changes the PIN there, for as long as that takes.
    logins: BTreeMap<String, Mutex<()>>,
    /// Shared by all calls, but for those that are made again after the worker has died: each of them is made alone, so that
    /// no other can be the cause should it die again.
    beside: RwLock<()>,
    /// Held by whoever makes a key or destroys one: what is destroyed has been made to its end.
    pub(super) making: Arc<Mutex<()>>,
    pub(super) quota: Bucket,
    /// Once this is set nobody logs in any more.
    pub(super) is_closed: AtomicBool,
}

impl Open {
    /// Nobody is logged in yet.
    pub(super) fn new(reached: Reached, worker: Worker, serials: impl IntoIterator<Item = String>) -> Self {
        let serials: Vec<_> = serials.into_iter().collect();
        Self {
            reached,
            worker: ArcSwap::from_pointee(worker),
            logins: serials.iter().map(|serial| (serial.clone(), Mutex::default())).collect(),
            rotation: Rotation::new(serials, Instant::now()),
            beside: RwLock::default(),
            making: Arc::default(),
            quota: Bucket::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The worker that calls go to.
    pub(super) fn worker(&self) -> Arc<Worker> {
        self.worker.load_full()
    }

    /// Has calls go to another worker from now on. Those under way end in the old one.
    pub(super) fn put_worker(&self, worker: Worker) {
        self.worker.store(Arc::new(worker));
    }

    /// The HSMs that have let the user in and work.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        self.rotation.members()
    }

    /// The right to log in to an HSM, or to change the PIN there, while nobody else does.
    pub(super) async fn login_of(&self, serial: &str) -> Option<MutexGuard<'_, ()>> {
        match self.logins.get(serial) {
            Some(login) => Some(login.lock().await),
            None => None,
        }
    }

    /// Logs in to an HSM for a call that needs it, where nobody is logged in any more or yet. Others that need it too wait, and
    /// take note: a PIN that was wrong is tried once, however many calls there are.
    pub(super) async fn log_in(&self, worker: &Worker, member: &Member) -> Result<(), Error> {
        let serial = &member.serial;
        let _alone = self.login_of(serial).await;
        if self.is_closed.load(Ordering::SeqCst) || !self.rotation.may_be_asked(serial) {
            return Err(Error::Token(TokenError::TokenNotPresent));
        }
        // The PIN may be another one by now.
        let Some(member) = self.rotation.member(serial) else {
            return Err(Error::Token(TokenError::TokenNotPresent));
        };
        let answer = member.log_in(worker).await;
        if let Err(error) = &answer {
            self.note(&member, error);
        }
        answer
    }

    /// Whether a call was refused for want of a login that another HSM has taken along with the worker, and the user is
    /// let in again: then it is worth another try.
    pub(super) async fn lets_in_again<T: Sync>(
        &self,
        worker: &Worker,
        member: &Member,
        outcome: &Result<T, Error>,
    ) -> bool {
        matches!(outcome, Err(Error::Token(TokenError::NotLoggedIn)))
            && self.log_in(worker, member).await.is_ok()
    }

    /// Gives the user another PIN in an HSM, unless it is that already. HSMs that share their users have it from another one
    /// that took it before, if one did: then the PIN that it was is wrong.
    pub(super) async fn change_pin(
        &self,
        member: &Member,
        pin: Pin,
        is_in_another: bool,
    ) -> Result<(), Error> {
        if member.pin == pin {
            return Ok(());
        }
        let _alone = self.login_of(&member.serial).await;
        let worker = self.worker();
        let mut changed = worker.change_pin(&member.serial, &member.pin, &pin).await;
        if matches!(changed, Err(Error::Token(TokenError::NotLoggedIn)))
            && member.log_in(&worker).await.is_ok()
        {
            changed = worker.change_pin(&member.serial, &member.pin, &pin).await;
        }
        let is_shared = is_in_another && self.reached.replication == Replication::Shared;
        if is_shared && matches!(changed, Err(Error::Token(TokenError::PinIncorrect))) {
            changed = worker.change_pin(&member.serial, &pin, &pin).await;
        }
        if changed.is_ok() {
            crash_point("password-changed");
            self.rotation.replace(Member::new(member.serial.clone(), pin));
        }
        changed
    }

    /// Asks the HSMs, which take turns, until one has an answer.
    pub(super) async fn in_any<A: Ask>(&self, what: &A) -> Result<FromHsm<A::Answer>, Error> {
        let mut waiting: VecDeque<_> = self.rotation.in_turn().into();
        let (mut failed, mut lacking, mut deaths) = (None, None, 0);
        while let Some(member) = waiting.pop_front() {
            if !self.rotation.may_be_asked(&member.serial) {
                continue;
            }
            let worker = self.worker();
            let answer = if deaths == 0 {
                let _beside = self.beside.read().await;
                self.ask_one(&worker, what, &member).await
            } else {
                self.ask_alone(&worker, what, &member).await
            };
            let error = match answer {
                Ok(answer) => {
                    self.well(&member);
                    return Ok(FromHsm { answer, serial: member.serial.clone() });
                }
                Err(error) => error,
            };
            if !Arc::ptr_eq(&worker, &self.worker()) {
                // Another has taken over meanwhile, which sees more.
                waiting.push_front(member);
                continue;
            }
            if is_of_key(&error) && self.is_there(&worker, &member).await {
                lacking = Some(error);
                continue;
            }
            self.note(&member, &error);
            if error == Error::Died && deaths < AGAIN {
                if deaths > 0 {
                    tokio::time::sleep(PAUSE * 2_u32.pow(deaths - 1)).await;
                }
                deaths += 1;
                waiting.push_front(member);
            }
            failed = Some(error);
        }
        // One that is not there may have the key that the others do not have.
        let absent = || (!self.rotation.is_complete()).then_some(Error::Token(TokenError::TokenNotPresent));
        Err(failed.or_else(absent).or(lacking).unwrap_or(Error::Token(TokenError::TokenNotPresent)))
    }

    /// Asks one HSM while nobody asks anything else. Where the worker dies all the same, this one is the cause.
    async fn ask_alone<A: Ask>(
        &self,
        worker: &Worker,
        what: &A,
        member: &Member,
    ) -> Result<A::Answer, Error> {
        let _alone = self.beside.write().await;
        // Others may have found out while this one waited.
        if !self.rotation.may_be_asked(&member.serial) {
            return Err(Error::Died);
        }
        let deaths = worker.deaths();
        let answer = self.ask_one(worker, what, member).await;
        if matches!(answer, Err(Error::Died)) && worker.deaths() != deaths {
            tracing::error!(token = member.serial, "an HSM takes its worker along, and is left alone");
            self.rotation.failed(&member.serial, Fault::Hung, Instant::now());
        }
        answer
    }

    async fn ask_one<A: Ask>(&self, worker: &Worker, what: &A, member: &Member) -> Result<A::Answer, Error> {
        match what.ask(worker, &member.serial).await {
            // Another HSM has taken the login along with the worker.
            Err(Error::Token(TokenError::NotLoggedIn)) => {
                self.log_in(worker, member).await?;
                what.ask(worker, &member.serial).await
            }
            other => other,
        }
    }

    pub(super) async fn random(&self, length: u64) -> Result<FromHsm<SecretBytes>, ClusterFailure> {
        self.in_any(&Random(length)).await.map_err(|error| failure(&error))
    }

    /// Takes note of what an HSM did wrong. That the worker died may be another's fault.
    pub(super) fn note(&self, member: &Member, error: &Error) {
        let (serial, now) = (&member.serial, Instant::now());
        let is_left_alone = match error {
            refusal if is_refusal(refusal) => self.rotation.refused(serial),
            Error::Token(TokenError::TokenNotPresent | TokenError::Device(_) | TokenError::NotLoggedIn) => {
                self.rotation.failed(serial, Fault::Absent, now)
            }
            Error::TimedOut => self.rotation.failed(serial, Fault::Hung, now),
            Error::Died => return,
            _ => {
                tracing::warn!(token = serial, %error, "an HSM failed; the next one is asked");
                return;
            }
        };
        if is_left_alone {
            tracing::error!(token = serial, %error, "an HSM failed, and is left alone until it works again");
        }
    }

    fn well(&self, member: &Member) {
        if self.rotation.answered(&member.serial) {
            tracing::info!(token = member.serial, "an HSM works again");
        }
    }

    /// Whether the key is what is missing. To some modules a token that has gone is one without keys.
    async fn is_there(&self, worker: &Worker, member: &Member) -> bool {
        match worker.facts(&member.serial).await {
            Ok(_) => true,
            Err(error) => {
                self.note(member, &error);
                false
            }
        }
    }
}

const fn is_of_key(error: &Error) -> bool {
    matches!(
        error,
        Error::Token(TokenError::KeyNotFound | TokenError::KeyAmbiguous | TokenError::KeyNotPermitted)
    )
}
