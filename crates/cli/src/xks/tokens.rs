//! The tokens of `[[xks_proxy.token]]`: each with a worker of its own, logged in to when the proxy starts.
//!
//! A token that is away is no reason for the proxy not to serve the others: what is asked of it fails, and the next
//! request has it tried again. A PIN that was refused is not tried again before the next start, since each try counts.
//!
//! Who opens a token is a task of its own, and requests only wait for it: KMS hangs up after 250 ms, and what its request
//! had begun would end with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Handle;
use tokio::sync::watch;
use trent_crypto::{Random, SecretBytes};
use trent_hsm::{Error, IvMode, KEY_ID_BYTES, KeyName, Sealed, TAG_BYTES, TokenError};
use trent_xks::response::{HealthStatus, Instance};
use trent_xks_proxy::{Answering, ManagerError, TokenKey, TokenKeyFacts, TokenSealed, Tokens};

use crate::config::{Config, TokenSection};
use crate::failure::misuse;
use crate::hsm_metrics::HsmMetrics;
use crate::root_key::{bytes_of, hex};
use crate::secret_source::SecretSource;
use crate::token::{OpenToken, TokenPlace, Trouble, iv_mode, limits, program};

/// How long a token that could not be opened is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// All of them, by name.
pub(super) struct ConfiguredTokens {
    tokens: BTreeMap<String, Arc<ConfiguredToken>>,
    random: Arc<dyn Random>,
}

struct ConfiguredToken {
    place: TokenPlace,
    mode: IvMode,
    state: watch::Sender<State>,
    /// Lives as long as the process does; where requests are answered it may not.
    runtime: Handle,
}

enum State {
    /// A task is at it, and tells what comes of it.
    Opening,
    Open(Arc<OpenToken>),
    /// Why it could not be opened, and when to try again, if at all.
    Closed {
        problem: String,
        until: Option<Instant>,
    },
}

/// Where a token of `[[xks_proxy.token]]` is.
pub(crate) fn place_of(config: &Config, section: &TokenSection) -> Result<TokenPlace> {
    let name = &section.name;
    if section.token_serial.is_none() && section.token_label.is_none() {
        return Err(misuse(format!(
            "the token `{name}` of [[xks_proxy.token]] needs token_serial or token_label"
        )));
    }
    Ok(TokenPlace {
        section: format!("[[xks_proxy.token]] `{name}`"),
        program: program(&section.module, &section.module_environment),
        limits: limits(&config.hsm),
        serial: section.token_serial.clone(),
        label: section.token_label.clone(),
        pin: SecretSource { what: "PIN", file: Some(section.pin_file.clone()), ..SecretSource::default() },
        counted: None,
        spares_tries: false,
    })
}

impl ConfiguredTokens {
    /// Those of a configuration, checked as far as that is possible without touching a token. They are opened in the
    /// runtime in which this is called.
    pub(super) fn of(config: &Config, random: Arc<dyn Random>, metrics: &HsmMetrics) -> Result<Self> {
        let mut tokens = BTreeMap::new();
        for section in &config.xks_proxy.token {
            let token = Arc::new(ConfiguredToken::of(config, section, metrics)?);
            if tokens.insert(section.name.clone(), token).is_some() {
                return Err(misuse(format!(
                    "there are two tokens `{}` in [[xks_proxy.token]]",
                    section.name
                )));
            }
        }
        // They are in no cluster.
        metrics.know([(String::new(), tokens.keys().cloned().collect())].into());
        Ok(Self { tokens, random })
    }

    /// Begins to open all of them.
    pub(super) fn open(&self) {
        for token in self.tokens.values() {
            token.begin(None);
        }
    }

    fn token(&self, name: &str) -> Result<&Arc<ConfiguredToken>, ManagerError> {
        let missing = || ManagerError::Failed(format!("there is no token `{name}` in [[xks_proxy.token]]"));
        self.tokens.get(name).ok_or_else(missing)
    }

    async fn make(&self, token: &str, label: &str) -> Result<TokenKey, ManagerError> {
        let mut id = [0; KEY_ID_BYTES];
        self.random.fill(&mut id).map_err(|error| ManagerError::Failed(error.to_string()))?;
        let key = TokenKey { token: token.to_owned(), id: Some(hex(&id)), label: None };
        // Before, so that somebody can look for it whatever comes of this.
        tracing::info!(token, id = key.id, label, "a key is made in a token");
        let make = |open: Arc<OpenToken>| async move { open.worker.generate(&open.serial, id, label).await };
        if let Err(error) = self.token(token)?.ask(make).await {
            self.destroy_unsure(&key).await;
            return Err(error);
        }
        Ok(key)
    }

    /// Destroys a key that may have been made although its making failed.
    async fn destroy_unsure(&self, key: &TokenKey) {
        match self.destroy(key).await {
            Ok(()) | Err(ManagerError::NotFound) => {}
            Err(error) => {
                let TokenKey { token, id, .. } = key;
                tracing::error!(token, id, %error, "a key may be left in a token; look for it and destroy it");
            }
        }
    }

    async fn find(&self, key: &TokenKey) -> Result<TokenKeyFacts, ManagerError> {
        let name = &name_of(key)?;
        let find = |open: Arc<OpenToken>| async move { open.worker.find(&open.serial, name.clone()).await };
        let found = self.token(&key.token)?.ask(find).await?;
        let bits = (found.bytes > 0).then(|| found.bytes.saturating_mul(8));
        Ok(TokenKeyFacts { bits, encrypt: found.encrypt, decrypt: found.decrypt })
    }

    async fn destroy(&self, key: &TokenKey) -> Result<(), ManagerError> {
        // What was made here has an identifier of this length, and nothing else is destroyed.
        let odd = || ManagerError::Failed("it was not made here".to_owned());
        let id = name_of(key)?.id.and_then(|id| id.try_into().ok()).ok_or_else(odd)?;
        let destroy = |open: Arc<OpenToken>| async move { open.worker.destroy(&open.serial, id).await };
        self.token(&key.token)?.ask(destroy).await
    }

    async fn encrypt(&self, key: &TokenKey, text: &[u8], aad: &[u8]) -> Result<TokenSealed, ManagerError> {
        let (name, configured) = (&name_of(key)?, self.token(&key.token)?);
        let mode = configured.mode;
        let encrypt = |open: Arc<OpenToken>| async move {
            open.worker.encrypt(&open.serial, name.clone(), mode, text, aad).await
        };
        let Sealed { iv, mut ciphertext } = configured.ask(encrypt).await?;
        let odd = || ManagerError::Failed("the token made something of another length".to_owned());
        if ciphertext.len() != text.len() + TAG_BYTES {
            return Err(odd());
        }
        let tag = ciphertext.split_off(text.len()).try_into().map_err(|_| odd())?;
        Ok(TokenSealed { iv, ciphertext, tag })
    }

    async fn decrypt(
        &self,
        key: &TokenKey,
        sealed: TokenSealed,
        aad: &[u8],
    ) -> Result<SecretBytes, ManagerError> {
        let (name, configured) = (&name_of(key)?, self.token(&key.token)?);
        let TokenSealed { iv, mut ciphertext, tag } = sealed;
        ciphertext.extend_from_slice(&tag);
        let (mode, sealed) = (configured.mode, &Sealed { iv, ciphertext });
        let decrypt = |open: Arc<OpenToken>| async move {
            open.worker.decrypt(&open.serial, name.clone(), mode, sealed.clone(), aad).await
        };
        Ok(SecretBytes::from(configured.ask(decrypt).await?.to_vec()))
    }

    async fn health(&self, token: &str) -> Result<Instance, ManagerError> {
        let look = |open: Arc<OpenToken>| async move {
            let facts = open.worker.facts(&open.serial).await?;
            open.worker.random(&open.serial, 16).await?;
            Ok(facts.model)
        };
        let model = self.token(token)?.ask(look).await?;
        Ok(Instance { id: format!("token {token}"), model, health_status: HealthStatus::Active })
    }
}

impl ConfiguredToken {
    fn of(config: &Config, section: &TokenSection, metrics: &HsmMetrics) -> Result<Self> {
        let state = State::Closed { problem: String::new(), until: Some(Instant::now()) };
        let counted = Some((metrics.clone(), section.name.clone()));
        let place = TokenPlace { counted, ..place_of(config, section)? };
        let mode = iv_mode(section.gcm_iv);
        Ok(Self { place, mode, state: watch::Sender::new(state), runtime: Handle::current() })
    }

    /// Asks the token, once more where it had forgotten who is logged in.
    async fn ask<T, F: Future<Output = Result<T, Error>>>(
        self: &Arc<Self>,
        work: impl Fn(Arc<OpenToken>) -> F,
    ) -> Result<T, ManagerError> {
        let mut open = self.opened(None).await?;
        let mut done = work(Arc::clone(&open)).await;
        if matches!(done, Err(Error::Token(TokenError::NotLoggedIn))) {
            open = self.opened(Some(&open)).await?;
            done = work(Arc::clone(&open)).await;
        }
        if matches!(done, Err(Error::Token(TokenError::TokenNotPresent))) {
            self.lose(&open);
        }
        done.map_err(|error| failure(&error))
    }

    /// The token, opened, and logged in to again where it has forgotten the login that it was opened with.
    async fn opened(
        self: &Arc<Self>,
        forgotten: Option<&Arc<OpenToken>>,
    ) -> Result<Arc<OpenToken>, ManagerError> {
        if let State::Open(open) = &*self.state.borrow()
            && is_good(open, forgotten)
        {
            return Ok(Arc::clone(open));
        }
        self.begin(forgotten);
        let mut states = self.state.subscribe();
        match states.wait_for(|state| !matches!(state, State::Opening)).await.as_deref() {
            Ok(State::Open(open)) => Ok(Arc::clone(open)),
            Ok(State::Closed { problem, .. }) => Err(ManagerError::Failed(problem.clone())),
            Ok(State::Opening) | Err(_) => Err(ManagerError::Busy),
        }
    }

    /// Has a task open the token or log in again, where that is due and none is at it.
    fn begin(self: &Arc<Self>, forgotten: Option<&Arc<OpenToken>>) {
        let mut before = None;
        self.state.send_if_modified(|state| {
            let is_due = match state {
                State::Opening => false,
                State::Open(open) => !is_good(open, forgotten),
                State::Closed { until, .. } => until.is_some_and(|until| until <= Instant::now()),
            };
            if is_due {
                before = Some(std::mem::replace(state, State::Opening));
            }
            is_due
        });
        if let Some(before) = before {
            let token = Arc::clone(self);
            self.runtime.spawn(async move {
                let after = match token.tried(before).await {
                    Ok(open) => State::Open(open),
                    Err(trouble) => State::closed(trouble),
                };
                token.state.send_replace(after);
            });
        }
    }

    async fn tried(&self, before: State) -> Result<Arc<OpenToken>, Trouble> {
        match before {
            State::Open(open) => self.place.log_in_again(&open).await.map(|()| open),
            State::Opening | State::Closed { .. } => self.place.open().await.map(Arc::new),
        }
    }

    /// Closes a token that is not there any more. Should it come back, a library may see it only when it starts anew.
    fn lose(&self, lost: &Arc<OpenToken>) {
        let trouble = self.place.explain(&Error::Token(TokenError::TokenNotPresent));
        self.state.send_if_modified(|state| {
            // What others have made of it meanwhile, a refused PIN above all, stays.
            let is_it = matches!(state, State::Open(open) if Arc::ptr_eq(open, lost));
            if is_it {
                *state = State::closed(trouble);
            }
            is_it
        });
    }
}

impl State {
    fn closed(Trouble { text: problem, wants_help }: Trouble) -> Self {
        tracing::error!("{problem}");
        let until = (!wants_help).then(|| Instant::now() + PAUSE);
        Self::Closed { problem, until }
    }
}

/// Whether somebody is logged in, as far as is known.
fn is_good(open: &Arc<OpenToken>, forgotten: Option<&Arc<OpenToken>>) -> bool {
    !open.is_logged_out() && forgotten.is_none_or(|forgotten| !Arc::ptr_eq(forgotten, open))
}

fn name_of(key: &TokenKey) -> Result<KeyName, ManagerError> {
    let id = key.id.as_deref().map(bytes_of).transpose();
    let id = id.map_err(|error| ManagerError::Failed(error.to_string()))?;
    Ok(KeyName { id, label: key.label.clone() })
}

fn failure(error: &Error) -> ManagerError {
    match error {
        Error::Token(TokenError::KeyNotFound) => ManagerError::NotFound,
        Error::Token(TokenError::KeyNotPermitted) => ManagerError::NotPermitted,
        Error::Token(TokenError::InvalidCiphertext) => ManagerError::InvalidCiphertext,
        Error::Token(TokenError::Busy) | Error::Busy => ManagerError::Busy,
        Error::TimedOut => ManagerError::Timeout,
        other => ManagerError::Failed(other.to_string()),
    }
}

impl Tokens for ConfiguredTokens {
    fn make<'a>(&'a self, token: &'a str, label: &'a str) -> Answering<'a, TokenKey> {
        Box::pin(self.make(token, label))
    }

    fn find<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, TokenKeyFacts> {
        Box::pin(self.find(key))
    }

    fn destroy<'a>(&'a self, key: &'a TokenKey) -> Answering<'a, ()> {
        Box::pin(self.destroy(key))
    }

    fn encrypt<'a>(
        &'a self,
        key: &'a TokenKey,
        plaintext: &'a [u8],
        aad: &'a [u8],
    ) -> Answering<'a, TokenSealed> {
        Box::pin(self.encrypt(key, plaintext, aad))
    }

    fn decrypt<'a>(
        &'a self,
        key: &'a TokenKey,
        sealed: TokenSealed,
        aad: &'a [u8],
    ) -> Answering<'a, SecretBytes> {
        Box::pin(self.decrypt(key, sealed, aad))
    }

    fn health<'a>(&'a self, token: &'a str) -> Answering<'a, Instance> {
        Box::pin(self.health(token))
    }
}
