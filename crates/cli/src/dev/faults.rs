//! Faults as they are asked for and shown; what they do is the server's.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use trent_domain::identifier::KeyId;
use trent_protocol::Operation;
use trent_server::{Fault, FaultKind, NoFault, StandingFault};

use super::Span;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// ThrottlingException.
    Throttling,
    /// KMSInternalException, status 500.
    InternalError,
    /// KeyUnavailableException, status 500.
    KeyUnavailable,
    /// DependencyTimeoutException, status 500.
    DependencyTimeout,
    /// A late answer; see --delay.
    Latency,
    /// A connection that is reset without an answer.
    Reset,
}

/// A length of time, or two between which it is drawn: `100ms`, `100ms-2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Latency(Span, Span);

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        Ok(Self(least.parse()?, most.parse()?))
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(least, most) = self;
        if least == most { write!(f, "{least}") } else { write!(f, "{least}-{most}") }
    }
}

impl TryFrom<String> for Latency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Latency> for String {
    fn from(latency: Latency) -> Self {
        latency.to_string()
    }
}

/// A fault as it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultOrder {
    pub(crate) kind: Kind,
    /// Names of the API; none is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) operations: Vec<String>,
    /// A key id or key ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// From 0 to 1; absent is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    #[serde(default)]
    pub(crate) seed: u64,
    /// Of `latency` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<Latency>,
}

/// A fault that is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultLine {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) fault: FaultOrder,
    /// How many requests it has struck.
    pub(crate) struck: u64,
}

impl TryFrom<FaultOrder> for Fault {
    type Error = String;

    fn try_from(order: FaultOrder) -> Result<Self, String> {
        let FaultOrder { kind, operations, key, rate, count, seed, delay } = order;
        let kind = match (kind, delay) {
            (Kind::Latency, Some(Latency(least, most))) => {
                FaultKind::Latency(least.duration(), most.duration())
            }
            (Kind::Latency, None) => {
                return Err("how late? --delay says it, such as 200ms or 100ms-2s".to_owned());
            }
            (_, Some(_)) => return Err("--delay is for latency alone".to_owned()),
            (Kind::Throttling, None) => FaultKind::Throttling,
            (Kind::InternalError, None) => FaultKind::InternalError,
            (Kind::KeyUnavailable, None) => FaultKind::KeyUnavailable,
            (Kind::DependencyTimeout, None) => FaultKind::DependencyTimeout,
            (Kind::Reset, None) => FaultKind::Reset,
        };
        let operations = operations.iter().map(|name| operation(name)).collect::<Result<_, _>>()?;
        let key = key.as_deref().map(key_id).transpose()?;
        Ok(Self { kind, operations, key, rate: rate.unwrap_or(1.0), count, seed })
    }
}

fn operation(name: &str) -> Result<Operation, String> {
    Operation::from_name(name)
        .ok_or_else(|| format!("`{name}` is no operation; write it as the API does, such as GenerateDataKey"))
}

fn key_id(name: &str) -> Result<KeyId, String> {
    let id = name.rsplit_once(":key/").map_or(name, |(_, id)| id);
    id.parse().map_err(|_| format!("`{name}` is no key id; give one, or a key ARN"))
}

/// Why there is no such fault, and what to do.
pub(super) fn refused(why: &NoFault) -> String {
    match why {
        NoFault::Rate => "a rate is a number from 0 to 1".to_owned(),
        NoFault::Latency => "of two delays the shorter comes first".to_owned(),
        NoFault::Impossible(operation) => {
            format!(
                "{operation} never fails so, neither here nor at AWS; leave it out, or choose another kind"
            )
        }
    }
}

impl From<StandingFault> for FaultLine {
    fn from(StandingFault { id, fault, struck }: StandingFault) -> Self {
        let Fault { kind, operations, key, rate, count, seed } = fault;
        let (kind, delay) = match kind {
            FaultKind::Throttling => (Kind::Throttling, None),
            FaultKind::InternalError => (Kind::InternalError, None),
            FaultKind::KeyUnavailable => (Kind::KeyUnavailable, None),
            FaultKind::DependencyTimeout => (Kind::DependencyTimeout, None),
            FaultKind::Latency(least, most) => (Kind::Latency, Some(Latency(least.into(), most.into()))),
            FaultKind::Reset => (Kind::Reset, None),
        };
        let operations = operations.iter().map(ToString::to_string).collect();
        let key = key.map(|key| key.to_string());
        Self { id, fault: FaultOrder { kind, operations, key, rate: Some(rate), count, seed, delay }, struck }
    }
}
