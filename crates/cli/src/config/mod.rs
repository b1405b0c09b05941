//! Configuration: a file per section, each with its settings, their defaults and what they are for.
//!
//! A setting comes from, the first that has it: the command line, a variable `TRENT_SECTION__NAME` of the
//! environment, the file, its default. Unknown names are errors wherever they stand.
//!
//! The table [`Section::settings`] of each section is what `trent config default` prints and what variables are
//! looked up in; tests keep it equal to the structs.

mod attestation;
mod audit;
mod auth;
mod bounded;
mod cache;
mod data;
mod environment;
mod hsm;
mod http;
mod identity;
mod jobs;
mod limits;
mod load;
mod log;
mod ops;
mod quotas;
mod receivers;
mod root_key;
mod setting;
mod xks;
mod xks_proxy;

use serde::Deserialize;

pub(crate) use audit::AuditMode;
pub(crate) use data::DataSection;
pub(crate) use environment::Environment;
pub(crate) use hsm::{ClusterSection, GcmIv, HsmSection, KeyReplication};
pub(crate) use http::{Addresses, ClientCertificates, HttpSection};
pub(crate) use identity::{IdentityFile, IdentitySection, place_of};
pub(crate) use load::load;
pub(crate) use log::{LogFormat, LogSection};
pub(crate) use receivers::Webhook;
pub(crate) use root_key::{Provider, RootKeyPkcs11Section, RootKeySection};
pub(crate) use setting::default_file;
pub(crate) use xks::{ClientCertificateFiles, XksSection};
pub(crate) use xks_proxy::TokenSection;

use attestation::AttestationSection;
use audit::AuditSection;
use auth::AuthSection;
use cache::CacheSection;
use jobs::JobsSection;
use limits::LimitsSection;
use ops::OpsSection;
use quotas::QuotasSection;
use receivers::{AuditSyslogSection, AuditWebhookSection, NotificationsSection};
use setting::Section;
use xks_proxy::XksProxySection;

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) http: HttpSection,
    pub(crate) ops: OpsSection,
    pub(crate) data: DataSection,
    pub(crate) root_key: RootKeySection,
    pub(crate) root_key_pkcs11: RootKeyPkcs11Section,
    pub(crate) identity: IdentitySection,
    pub(crate) auth: AuthSection,
    pub(crate) attestation: AttestationSection,
    pub(crate) audit: AuditSection,
    pub(crate) audit_webhook: AuditWebhookSection,
    pub(crate) audit_syslog: AuditSyslogSection,
    pub(crate) notifications: NotificationsSection,
    pub(crate) limits: LimitsSection,
    pub(crate) quotas: QuotasSection,
    pub(crate) cache: CacheSection,
    pub(crate) jobs: JobsSection,
    pub(crate) xks: XksSection,
    pub(crate) hsm: HsmSection,
    pub(crate) xks_proxy: XksProxySection,
    pub(crate) log: LogSection,
}

/// All sections, in the order of the default file.
const SECTIONS: [&Section; 20] = [
    &http::SECTION,
    &ops::SECTION,
    &data::SECTION,
    &root_key::SECTION,
    &root_key::PKCS11,
    &identity::SECTION,
    &auth::SECTION,
    &attestation::SECTION,
    &audit::SECTION,
    &receivers::AUDIT_WEBHOOK,
    &receivers::AUDIT_SYSLOG,
    &receivers::NOTIFICATIONS,
    &limits::SECTION,
    &quotas::SECTION,
    &cache::SECTION,
    &jobs::SECTION,
    &xks::SECTION,
    &hsm::SECTION,
    &xks_proxy::SECTION,
    &log::SECTION,
];

impl Config {
    /// The sections in which `other` differs and which only a restart brings into force.
    pub(crate) fn needs_restart_for(&self, other: &Self) -> Vec<&'static str> {
        let differs = [
            ("http", self.http != other.http),
            ("ops", self.ops != other.ops),
            ("data", self.data != other.data),
            ("root_key", self.root_key != other.root_key),
            ("root_key_pkcs11", self.root_key_pkcs11 != other.root_key_pkcs11),
            ("identity", self.identity != other.identity),
            ("auth", self.auth != other.auth),
            ("attestation", self.attestation != other.attestation),
            ("audit", self.audit != other.audit),
            ("audit_webhook", self.audit_webhook != other.audit_webhook),
            ("audit_syslog", self.audit_syslog != other.audit_syslog),
            ("notifications", self.notifications != other.notifications),
            ("limits", self.limits != other.limits),
            ("cache", self.cache != other.cache),
            ("jobs", self.jobs != other.jobs),
            ("xks.health_check_seconds", self.xks.health_check_seconds != other.xks.health_check_seconds),
            ("hsm.connect_seconds", self.hsm.connect_seconds != other.hsm.connect_seconds),
            ("xks_proxy", self.xks_proxy != other.xks_proxy),
            ("log.format", self.log.format != other.log.format),
        ];
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}
