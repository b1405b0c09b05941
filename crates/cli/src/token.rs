//! A token that the configuration names by itself, apart from clusters: found, logged in to, and used through a worker of
//! its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use trent_hsm::{Error, IvMode, Limits, Pin, Program, TokenError, TokenFacts, Worker};

use crate::config::{GcmIv, HsmSection};
use crate::failure::misuse;
use crate::hsm_metrics::HsmMetrics;
use crate::secret_source::SecretSource;

/// This binary, whatever has become of its file.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// A process for a module, which is this binary again.
pub(crate) fn program(module: &Path, environment: &BTreeMap<String, String>) -> Program {
    Program {
        path: PathBuf::from(OWN_PROGRAM),
        arguments: vec!["hsm-worker".into()],
        environment: environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        module: module.to_owned(),
    }
}

/// How long such a process may take.
pub(crate) const fn limits(section: &HsmSection) -> Limits {
    Limits { start: section.start_seconds.seconds(), call: section.call_seconds.seconds() }
}

/// What a module does with the IV.
pub(crate) const fn iv_mode(setting: GcmIv) -> IvMode {
    match setting {
        GcmIv::Caller => IvMode::Caller,
        GcmIv::ZeroInPlace => IvMode::ZeroInPlace,
        GcmIv::Appended => IvMode::Appended,
    }
}

/// Where a token is, and what its user logs in with.
#[derive(Debug, Clone)]
pub(crate) struct TokenPlace {
    /// The settings that say so, as texts name them.
    pub(crate) section: String,
    pub(crate) program: Program,
    pub(crate) limits: Limits,
    /// One of these two at least.
    pub(crate) serial: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) pin: SecretSource,
    /// Whether no PIN is tried where a wrong one was tried last.
    pub(crate) spares_tries: bool,
    /// Where its calls are counted, and by which name.
    pub(crate) counted: Option<(HsmMetrics, String)>,
}

/// A token that has let its user in.
pub(crate) struct OpenToken {
    pub(crate) worker: Worker,
    pub(crate) serial: String,
    pin: Pin,
    /// How often the worker had died when its user was last let in.
    deaths: AtomicU64,
}

/// Why a token is of no use, and what to do.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) text: String,
    /// Whether time alone does not put it right, and trying again may make it worse.
    pub(crate) wants_help: bool,
}

impl From<Trouble> for anyhow::Error {
    fn from(trouble: Trouble) -> Self {
        misuse(trouble.text)
    }
}

impl OpenToken {
    /// Whether nobody is logged in any more, since the worker has died.
    pub(crate) fn is_logged_out(&self) -> bool {
        self.worker.deaths() != self.deaths.load(Ordering::Acquire)
    }

    async fn log_in(&self) -> Result<(), Error> {
        // What dies meanwhile is noticed next time.
        let deaths = self.worker.deaths();
        self.worker.log_in(&self.serial, &self.pin).await?;
        self.deaths.store(deaths, Ordering::Release);
        Ok(())
    }
}

impl TokenPlace {
    /// Finds the token and logs in, in a process of its own.
    pub(crate) async fn open(&self) -> Result<OpenToken, Trouble> {
        let pin = self.pin()?;
        let worker = self.worker()?;
        let serial = self.find(&worker).await?;
        let worker = match &self.counted {
            Some((metrics, name)) => {
                worker.watched_by(metrics.of("", [(serial.clone(), name.clone())].into()))
            }
            None => worker,
        };
        let open = OpenToken { worker, serial, pin, deaths: AtomicU64::default() };
        open.log_in().await.map_err(|error| self.explain(&error))?;
        Ok(open)
    }

    /// Logs in again, where the token must let its user try a PIN.
    pub(crate) async fn log_in_again(&self, open: &OpenToken) -> Result<(), Trouble> {
        let facts = open.worker.facts(&open.serial).await.map_err(|error| self.explain(&error))?;
        self.check_tries(&facts)?;
        open.log_in().await.map_err(|error| self.explain(&error))
    }

    /// A process for the library.
    pub(crate) fn worker(&self) -> Result<Worker, Trouble> {
        Worker::new(self.program.clone(), self.limits)
            .map_err(|error| self.explain(&Error::NotStarted(error.to_string())))
    }

    fn pin(&self) -> Result<Pin, Trouble> {
        let trouble = |text| Trouble { text, wants_help: false };
        let pin = self.pin.read().map_err(|error| trouble(format!("{error:#}")))?;
        let pin = pin.ok_or_else(|| {
            let section = &self.section;
            trouble(format!(
                "{self} needs its user's PIN; put it into a file and name that in {section}.pin_file"
            ))
        })?;
        let text =
            str::from_utf8(pin.expose()).map_err(|_| trouble(format!("the PIN of {self} is no text")))?;
        Ok(Pin::from(text))
    }

    /// The serial number of the token, which must let its user try a PIN.
    async fn find(&self, worker: &Worker) -> Result<String, Trouble> {
        let token = self.facts(worker).await?;
        self.check_tries(&token)?;
        Ok(token.serial)
    }

    fn check_tries(&self, token: &TokenFacts) -> Result<(), Trouble> {
        if token.is_pin_locked {
            return Err(self.explain(&Error::Token(TokenError::PinLocked)));
        }
        // A service that is started again and again with a wrong PIN would lock it.
        if token.is_pin_at_final_try {
            let text = format!(
                "the next wrong PIN locks {self}, so none is tried; log in once with the vendor's tool and the right PIN"
            );
            return Err(Trouble { text, wants_help: true });
        }
        if self.spares_tries && token.is_pin_count_low {
            let text = format!(
                "a wrong PIN was tried last in {self}, so none is tried here; see to it that the right one is in place, and \
                 start the server, or log in once with the vendor's tool"
            );
            return Err(Trouble { text, wants_help: true });
        }
        Ok(())
    }

    /// What the token says of itself.
    pub(crate) async fn facts(&self, worker: &Worker) -> Result<TokenFacts, Trouble> {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        let mut tokens = worker.tokens().await.map_err(|error| self.explain(&error))?;
        tokens.retain(|token| is(&self.serial, &token.serial) && is(&self.label, &token.label));
        match <[_; 1]>::try_from(tokens) {
            Ok([token]) => Ok(token),
            Err(tokens) if tokens.is_empty() => Err(self.explain(&Error::Token(TokenError::TokenNotPresent))),
            Err(tokens) => Err(Trouble {
                text: format!(
                    "{} tokens have this label; name one by its serial number in {}.token_serial",
                    tokens.len(),
                    self.section
                ),
                wants_help: false,
            }),
        }
    }

    /// What an error means, and what to do.
    pub(crate) fn explain(&self, error: &Error) -> Trouble {
        let wants_help = matches!(
            error,
            Error::Token(TokenError::PinIncorrect | TokenError::PinLocked | TokenError::PinNotInitialized)
        );
        Trouble { text: self.text(error), wants_help }
    }

    fn text(&self, error: &Error) -> String {
        let (section, module) = (&self.section, self.program.module.display());
        match error {
            Error::Token(TokenError::TokenNotPresent) => format!(
                "{self} is not there; attach the HSM and start what its vendor's library needs, or set \
                 {section}.token_serial or token_label"
            ),
            Error::Token(TokenError::PinIncorrect) => format!(
                "{self} does not take the PIN; put the right one in place ({section}.pin_file) before trying again: \
                 wrong ones are counted"
            ),
            Error::Token(TokenError::PinLocked) => {
                format!("too many wrong PINs have locked {self}; its security officer can unlock it")
            }
            Error::Token(TokenError::PinNotInitialized) => {
                format!("the user of {self} has no PIN; its security officer can set one")
            }
            Error::Token(TokenError::Module(text)) => {
                format!("the PKCS#11 library {module} cannot be used: {text}; see {section}.module")
            }
            Error::TimedOut => format!(
                "the PKCS#11 library {module} does not answer; look after the HSM, or raise hsm.start_seconds and \
                 hsm.call_seconds"
            ),
            Error::Died => format!("the PKCS#11 library {module} crashed; its vendor should know"),
            other => format!("{self}: {other}"),
        }
    }
}

impl std::fmt::Display for TokenPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.serial, &self.label) {
            (Some(serial), _) => write!(formatter, "the token {serial}"),
            (None, Some(label)) => write!(formatter, "the token `{label}`"),
            (None, None) => formatter.write_str("a token without a name"),
        }
    }
}
