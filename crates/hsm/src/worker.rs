//! A worker as its callers see it: calls that wait, without regard to what the process behind them goes through.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use trent_pkcs11::{Attributes, Error as TokenError, IvMode, KeyId, KeyName, Sealed, TokenFacts};
use zeroize::Zeroizing;

use crate::backoff::Backoff;
use crate::line::{Current, NotSent};
use crate::message::{Ask, Reply, Request};
use crate::observer::{Called, Observer, Operation};
use crate::pending::{Places, Waiting};
use crate::pin::Pin;
use crate::supervisor::{Limits, Order, Program, Supervisor};
use crate::wire;

/// Calls that a worker is given at once; more are refused.
const CALLS_MAX: usize = 256;

/// Why a call was not answered with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token, or its module, said so.
    #[error(transparent)]
    Token(TokenError),
    /// The worker took too long, and has been killed.
    #[error("the HSM worker did not answer in time")]
    TimedOut,
    /// The worker died, or keeps dying and is left alone for a while.
    #[error("the HSM worker died")]
    Died,
    /// The worker does not start.
    #[error("the HSM worker does not start: {0}")]
    NotStarted(String),
    /// Too much is asked at once.
    #[error("the HSM worker has too much to do")]
    Busy,
    /// What is asked is too long.
    #[error("too long for the HSM worker")]
    TooLong,
}

/// A process with a module. Logins are its own: after it has died, everybody is logged out. It is asked in runtimes of tokio
/// with I/O, or in none.
pub struct Worker {
    /// The way to the process that runs; callers that find none ask its supervisor.
    current: Current,
    orders: Sender<Order>,
    places: Places,
    /// How long a call may take with all there is to it.
    patience: Duration,
    deaths: Arc<AtomicU64>,
    observer: Option<Arc<dyn Observer>>,
}

impl Worker {
    /// Makes a worker. Its process starts with the first call, and again with a call after it has died.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn new(program: Program, limits: Limits) -> io::Result<Self> {
        let (sender, orders) = channel();
        let (deaths, current) = (Arc::<AtomicU64>::default(), Current::default());
        let supervisor = Supervisor {
            program,
            limits,
            orders,
            sender: sender.clone(),
            worker: None,
            current: Arc::clone(&current),
            started: 0,
            backoff: Backoff::default(),
            deaths: Arc::clone(&deaths),
        };
        thread::Builder::new().name("hsm".to_owned()).spawn(move || supervisor.run())?;
        let patience = limits.start + limits.call;
        Ok(Self { current, patience, orders: sender, places: Places::new(CALLS_MAX), deaths, observer: None })
    }

    /// Has somebody hear of every call about a token.
    #[must_use]
    pub fn watched_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// How often its process has died or did not start. Nobody is logged in after a death.
    pub fn deaths(&self) -> u64 {
        self.deaths.load(Ordering::Acquire)
    }

    /// The tokens that there are.
    ///
    /// # Errors
    /// Those of the module, or of the worker.
    pub async fn tokens(&self) -> Result<Vec<TokenFacts>, Error> {
        match self.ask(Request::Tokens).await? {
            Reply::Tokens(tokens) => Ok(tokens),
            _ => Err(unexpected()),
        }
    }

    /// What a token says of itself.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn facts(&self, serial: &str) -> Result<TokenFacts, Error> {
        match self.of(serial, Ask::Facts).await? {
            Reply::Tokens(tokens) => tokens.into_iter().next().ok_or_else(unexpected),
            _ => Err(unexpected()),
        }
    }

    /// The numbers of a token's mechanisms.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn mechanisms(&self, serial: &str) -> Result<Vec<u64>, Error> {
        match self.of(serial, Ask::Mechanisms).await? {
            Reply::Mechanisms(numbers) => Ok(numbers),
            _ => Err(unexpected()),
        }
    }

    /// Logs in to a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn log_in(&self, serial: &str, pin: &Pin) -> Result<(), Error> {
        done(&self.of(serial, Ask::LogIn(pin.copy())).await?)
    }

    /// Logs out of a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn log_out(&self, serial: &str) -> Result<(), Error> {
        done(&self.of(serial, Ask::LogOut).await?)
    }

    /// Gives the user who is logged in to a token another PIN.
    ///
    /// # Errors
    /// Those of the token, or of the worker. After one of the worker, either PIN may be in force.
    pub async fn change_pin(&self, serial: &str, old: &Pin, new: &Pin) -> Result<(), Error> {
        done(&self.of(serial, Ask::ChangePin { old: old.copy(), new: new.copy() }).await?)
    }

    /// Makes an AES-256 key that cannot leave a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker. After one of the worker, the key may be there.
    pub async fn generate(&self, serial: &str, id: KeyId, label: &str) -> Result<Attributes, Error> {
        key(self.of(serial, Ask::Generate { id, label: label.to_owned() }).await?)
    }

    /// Makes an AES-256 key that may move to other tokens, until it is settled.
    pub(crate) async fn generate_movable(&self, serial: &str, id: KeyId, label: &str) -> Result<(), Error> {
        done(&self.of(serial, Ask::GenerateMovable { id, label: label.to_owned() }).await?)
    }

    /// Copies a movable key to another token.
    pub(crate) async fn copy(&self, from: &str, to: &str, id: KeyId, label: &str) -> Result<(), Error> {
        let started = Instant::now();
        let label = label.to_owned();
        let request = Request::Copy { from: from.to_owned(), to: to.to_owned(), id, label };
        let answer = self.ask(request).await;
        // Both have a part in it, and whose fault an error is nobody tells.
        for serial in [from, to] {
            self.tell(serial, Operation::CopyKey, started, &answer);
        }
        key(answer?).map(drop)
    }

    /// Has a movable key move no more.
    pub(crate) async fn settle(&self, serial: &str, id: KeyId) -> Result<(), Error> {
        key(self.of(serial, Ask::Settle(id)).await?).map(drop)
    }

    /// What a token says of a key.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn find(&self, serial: &str, name: impl Into<KeyName>) -> Result<Attributes, Error> {
        key(self.of(serial, Ask::Find(name.into())).await?)
    }

    /// The keys of a token that have identifiers such as trent makes, and their labels.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn keys(&self, serial: &str) -> Result<Vec<(KeyId, String)>, Error> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|(id, _)| *id);
            match self.of(serial, Ask::List { after }).await? {
                Reply::Keys(more) if more.is_empty() => return Ok(all),
                // What is no further would go on for ever.
                Reply::Keys(more) if more.iter().all(|(id, _)| after.is_none_or(|after| *id > after)) => {
                    all.extend(more);
                }
                _ => return Err(unexpected()),
            }
        }
    }

    /// Destroys a key of a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn destroy(&self, serial: &str, id: KeyId) -> Result<(), Error> {
        done(&self.of(serial, Ask::Destroy(id)).await?)
    }

    /// Encrypts with a key of a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn encrypt(
        &self,
        serial: &str,
        key: impl Into<KeyName>,
        mode: IvMode,
        plaintext: &[u8],
        aad: &[u8],
    ) -> Result<Sealed, Error> {
        let (key, plaintext, aad) = (key.into(), Zeroizing::new(plaintext.to_vec()), aad.to_vec());
        match self.of(serial, Ask::Encrypt { key, mode, plaintext, aad }).await? {
            Reply::Sealed(sealed) => Ok(sealed),
            _ => Err(unexpected()),
        }
    }

    /// Decrypts with a key of a token.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn decrypt(
        &self,
        serial: &str,
        key: impl Into<KeyName>,
        mode: IvMode,
        sealed: Sealed,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (key, aad) = (key.into(), aad.to_vec());
        bytes(self.of(serial, Ask::Decrypt { key, mode, sealed, aad }).await?)
    }

    /// Random bytes of a token, up to 1024.
    ///
    /// # Errors
    /// Those of the token, or of the worker.
    pub async fn random(&self, serial: &str, length: u64) -> Result<Zeroizing<Vec<u8>>, Error> {
        bytes(self.of(serial, Ask::Random(length)).await?)
    }

    async fn of(&self, serial: &str, ask: Ask) -> Result<Reply, Error> {
        let (operation, started) = (Operation::of(&ask), Instant::now());
        let answer = self.ask(Request::Of(serial.to_owned(), ask)).await;
        self.tell(serial, operation, started, &answer);
        answer
    }

    /// Tells whoever wants to hear of it.
    fn tell(&self, serial: &str, operation: Operation, started: Instant, answer: &Result<Reply, Error>) {
        if let Some(observer) = &self.observer {
            let (took, error) = (started.elapsed(), answer.as_ref().err());
            observer.called(&Called { serial, operation, took, error });
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Error> {
        let place = self.places.take().ok_or(Error::Busy)?;
        let message = request.encode();
        if !wire::fits(&message) {
            return Err(Error::TooLong);
        }
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { answer, until: Instant::now() + self.patience, _place: place };
        if let Some(order) = self.send(message, waiting) {
            self.orders.send(order).map_err(|_| Error::Died)?;
        }
        answered.await.map_err(|_| Error::Died)?
    }

    /// Sends a call to the process that runs, or says what to have the supervisor do.
    fn send(&self, message: Zeroizing<Vec<u8>>, waiting: Waiting) -> Option<Order> {
        let Some(line) = self.current.read().clone() else {
            return Some(Order::Call(message, waiting, None));
        };
        match line.send_at_once(&message, waiting) {
            Ok(()) => None,
            Err(NotSent::Ended(waiting)) => Some(Order::Call(message, waiting, None)),
            Err(NotSent::Full(waiting)) => Some(Order::Call(message, waiting, Some(line.queue()))),
            Err(NotSent::Broken(_)) => Some(Order::Closed(line.number)),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The supervisor kills the process, and is done. It is not waited for: it may be waiting for the module.
        let _ = self.orders.send(Order::Stop);
    }
}

fn done(reply: &Reply) -> Result<(), Error> {
    if matches!(reply, Reply::Done) { Ok(()) } else { Err(unexpected()) }
}

fn key(reply: Reply) -> Result<Attributes, Error> {
    if let Reply::Key(key) = reply { Ok(key) } else { Err(unexpected()) }
}

fn bytes(reply: Reply) -> Result<Zeroizing<Vec<u8>>, Error> {
    if let Reply::Bytes(bytes) = reply { Ok(bytes) } else { Err(unexpected()) }
}

/// An answer to something else. The worker runs foreign code.
fn unexpected() -> Error {
    Error::Token(TokenError::Other("the HSM worker answers something else".to_owned()))
}
