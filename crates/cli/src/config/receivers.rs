//! `[audit_webhook]` and `[notifications]`: who is sent what the audit trail has.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

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
