//! One line of the log for each call: who asked for what, by the words of KMS, and what came of it.
//!
//! Texts of the request are written with escapes, so that none can begin a line of its own.

use std::time::Duration;

use trent_xks::request::RequestMetadata;
use trent_xks::{Api, ErrorName, ExternalKeyId};

/// What is known of a call when it ends.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) store: Option<String>,
    pub(crate) api: Option<Api>,
    pub(crate) key: Option<ExternalKeyId>,
    /// Known once the signature is right.
    pub(crate) access_key_id: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) metadata: Option<RequestMetadata>,
    /// The rule that was not met, of the store or of the key.
    pub(crate) broken_rule: Option<(&'static str, &'static str)>,
}

impl Call {
    /// Writes the line.
    pub(crate) fn log(&self, refused: Option<(ErrorName, Option<&str>)>, took: Duration) {
        let absent = RequestMetadata::default();
        let metadata = self.metadata.as_ref().unwrap_or(&absent);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let rule = self.broken_rule.map(|(owner, kind)| format!("{kind} of the {owner}")).unwrap_or_default();
        tracing::info!(
            target: "trent_xks_proxy::audit",
            outcome = refused.map_or("Success", |(name, _)| name.as_str()),
            why = ?refused.and_then(|(_, why)| why).unwrap_or_default(),
            api = self.api.map(Api::name).unwrap_or_default(),
            store = text(&self.store),
            key = self.key.as_ref().map(ExternalKeyId::as_str).unwrap_or_default(),
            kms_request_id = ?metadata.kms_request_id,
            kms_operation = ?metadata.kms_operation,
            principal = ?text(&metadata.aws_principal_arn),
            kms_key = ?text(&metadata.kms_key_arn),
            via_service = ?text(&metadata.kms_via_service),
            source_vpc = ?text(&metadata.aws_source_vpc),
            source_vpce = ?text(&metadata.aws_source_vpce),
            region = text(&self.region),
            access_key_id = text(&self.access_key_id),
            rule,
            took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "call"
        );
    }
}
