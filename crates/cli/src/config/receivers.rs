//! `[audit_webhook]`, `[audit_syslog]` and `[notifications]`: who is sent what the audit trail has.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};
use crate::deliveries::SyslogAddress;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditWebhookSection {
    url: Option<String>,
    ca_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    timeout_seconds: Bounded<1, 300>,
    pub(crate) batch_bytes: Bounded<4096, 67_108_864>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSyslogSection {
    #[serde(deserialize_with = "syslog_address")]
    address: Option<SyslogAddress>,
    facility: Bounded<0, 23>,
    timeout_seconds: Bounded<1, 300>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NotificationsSection {
    url: Option<String>,
    ca_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    timeout_seconds: Bounded<1, 300>,
    pub(crate) file: Option<PathBuf>,
}

/// A server that a section names.
#[derive(Clone, Copy)]
pub(crate) struct Webhook<'a> {
    pub(crate) section: &'static str,
    pub(crate) url: &'a str,
    pub(crate) ca_file: Option<&'a PathBuf>,
    pub(crate) secret_file: Option<&'a PathBuf>,
    pub(crate) patience: Duration,
}

impl Default for AuditWebhookSection {
    fn default() -> Self {
        let (timeout_seconds, batch_bytes) = (Bounded::new(10), Bounded::new(1_048_576));
        Self { url: None, ca_file: None, secret_file: None, timeout_seconds, batch_bytes }
    }
}

impl Default for AuditSyslogSection {
    fn default() -> Self {
        Self { address: None, facility: Bounded::new(13), timeout_seconds: Bounded::new(10) }
    }
}

impl AuditSyslogSection {
    /// Where to send records, under which facility, and how long to wait.
    pub(crate) fn receiver(&self) -> Option<(SyslogAddress, u64, Duration)> {
        Some((self.address.clone()?, self.facility.get(), self.timeout_seconds.seconds()))
    }
}

fn syslog_address<'de, De: Deserializer<'de>>(deserializer: De) -> Result<Option<SyslogAddress>, De::Error> {
    let text = String::deserialize(deserializer)?;
    let address = match text.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Some(SyslogAddress::Socket(path.into())),
        Some(("tcp", host)) if has_port(host) => Some(SyslogAddress::Tcp(host.to_owned())),
        _ => None,
    };
    let problem = "is neither unix:/PATH, such as unix:/dev/log, nor tcp:HOST:PORT";
    address.map(Some).ok_or_else(|| De::Error::custom(format!("`{text}` {problem}")))
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

impl Default for NotificationsSection {
    fn default() -> Self {
        Self { url: None, ca_file: None, secret_file: None, timeout_seconds: Bounded::new(10), file: None }
    }
}

impl AuditWebhookSection {
    pub(crate) fn webhook(&self) -> Option<Webhook<'_>> {
        Some(Webhook {
            section: AUDIT_WEBHOOK.name,
            url: self.url.as_deref()?,
            ca_file: self.ca_file.as_ref(),
            secret_file: self.secret_file.as_ref(),
            patience: self.timeout_seconds.seconds(),
        })
    }
}

impl NotificationsSection {
    pub(crate) fn webhook(&self) -> Option<Webhook<'_>> {
        Some(Webhook {
            section: NOTIFICATIONS.name,
            url: self.url.as_deref()?,
            ca_file: self.ca_file.as_ref(),
            secret_file: self.secret_file.as_ref(),
            patience: self.timeout_seconds.seconds(),
        })
    }
}

const CA_FILE: Setting = Setting {
    name: "ca_file",
    default: D::Unset("\"/etc/trent/receiver-ca.pem\""),
    comment: "The certificates that its own has to lead to, PEM; those of the system if not set.",
};
const SECRET_FILE: Setting = Setting {
    name: "secret_file",
    default: D::Unset("\"/etc/trent/receiver-secret\""),
    comment: "A file with a secret of 32 to 64 bytes: the header `trent-signature` has the HMAC-SHA-256 of the body then.",
};
const TIMEOUT_SECONDS: Setting = Setting {
    name: "timeout_seconds",
    default: D::Is("10"),
    comment: "How long an answer may take: 1 to 300. Whoever is later is sent the same again.",
};

pub(super) const AUDIT_WEBHOOK: Section = Section {
    name: "audit_webhook",
    comment: "A server that gets all audit records: JSON lines, by POST. It reads behind the files of the trail.",
    settings: &[
        Setting {
            name: "url",
            default: D::Unset("\"https://siem.example.com/trent\""),
            comment: "Its address, https alone; without one nothing is sent.",
        },
        CA_FILE,
        SECRET_FILE,
        TIMEOUT_SECONDS,
        Setting {
            name: "batch_bytes",
            default: D::Is("1048576"),
            comment: "How much is sent at once, give or take a record: 4096 to 67108864.",
        },
    ],
};

pub(super) const AUDIT_SYSLOG: Section = Section {
    name: "audit_syslog",
    comment: "A syslog server that gets all audit records, one message each (RFC 5424). It reads behind the files of the\n\
              trail.",
    settings: &[
        Setting {
            name: "address",
            default: D::Unset("\"unix:/dev/log\""),
            comment: "\"unix:/PATH\" for a datagram socket of this machine, or \"tcp:HOST:PORT\", with octet counting (RFC 6587).",
        },
        Setting {
            name: "facility",
            default: D::Is("13"),
            comment: "The facility of the messages: 0 to 23; 13 is log audit, 16 to 23 are local0 to local7.",
        },
        Setting {
            name: "timeout_seconds",
            default: D::Is("10"),
            comment: "How long connecting may take, or sending may stand still: 1 to 300. What was not taken is sent again.",
        },
    ],
};

pub(super) const NOTIFICATIONS: Section = Section {
    name: "notifications",
    comment: "Who is told that a key was deleted or rotated, or that imported material has expired: JSON lines in the\n\
              form of EventBridge.",
    settings: &[
        Setting {
            name: "url",
            default: D::Unset("\"https://events.example.com/trent\""),
            comment: "The address of a server that gets them by POST, https alone.",
        },
        CA_FILE,
        SECRET_FILE,
        TIMEOUT_SECONDS,
        Setting {
            name: "file",
            default: D::Unset("\"/var/log/trent/notifications.jsonl\""),
            comment: "A file that they are appended to.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_is_a_socket_or_a_host_with_a_port() {
        let address = |text: &str| {
            let section = toml::from_str::<AuditSyslogSection>(&format!("address = '{text}'"));
            section.map(|section| section.address.unwrap())
        };
        assert_eq!(address("unix:/dev/log").unwrap(), SyslogAddress::Socket("/dev/log".into()));
        assert_eq!(
            address("tcp:siem.example.com:601").unwrap(),
            SyslogAddress::Tcp("siem.example.com:601".into())
        );
        assert_eq!(address("tcp:[::1]:601").unwrap(), SyslogAddress::Tcp("[::1]:601".into()));
        for wrong in ["", "/dev/log", "unix:log", "tcp:host", "tcp::601", "tcp:host:port", "udp:host:514"] {
            let told = address(wrong).unwrap_err();
            assert!(told.message().contains("is neither unix:/PATH"), "{told}");
        }
    }
}
