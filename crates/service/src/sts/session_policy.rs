//! What narrows a session and what it carries: session policies, tags.

use std::collections::{BTreeMap, BTreeSet};

use trent_domain::identifier::AccountId;
use trent_domain::limits::{
    PACKED_POLICY_BYTES_MAX, SESSION_POLICY_ARNS_MAX, SESSION_POLICY_CHARACTERS_MAX, TAGS_PER_PRINCIPAL_MAX,
};
use trent_policy::{Document, Kind};

use super::Request;
use super::error::{StsCode, StsError};
use super::query::{Constraints, Form, TextRule};
use crate::identity::check_tags;

/// Session policies and tags of one request.
#[derive(Debug, Default)]
pub(super) struct Narrowing {
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Vec<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) transitive: BTreeSet<String>,
    /// How much of their room they take, in percent; nothing if there are none.
    pub(super) packed_percent: Option<usize>,
}

impl Narrowing {
    /// Reads them; their sizes are among the constraints.
    pub(super) fn read(form: &Form, constraints: &mut Constraints) -> Self {
        let rule = TextRule::of_length(1, SESSION_POLICY_CHARACTERS_MAX);
        let policy = constraints.optional(form, "Policy", rule).map(str::to_owned);
        let policy_arns = form.list("PolicyArns", "arn");
        constraints.at_most(&policy_arns, "policyArns", SESSION_POLICY_ARNS_MAX);
        for arn in &policy_arns {
            constraints.check(arn, "policyArns", TextRule::of_length(20, 2048));
        }
        let pairs = form.pairs("Tags");
        constraints.at_most(&pairs, "tags", TAGS_PER_PRINCIPAL_MAX);
        for (key, value) in &pairs {
            constraints.check(key, "tags.member.key", TextRule::of_length(1, 128));
            constraints.check(value, "tags.member.value", TextRule::of_length(0, 256));
        }
        let transitive = form.list("TransitiveTagKeys", "");
        constraints.at_most(&transitive, "transitiveTagKeys", TAGS_PER_PRINCIPAL_MAX);
        Self {
            policy,
            policy_arns,
            tags: pairs.into_iter().collect(),
            transitive: transitive.into_iter().collect(),
            packed_percent: None,
        }
    }

    /// Checks them for a session in this account.
    pub(super) fn check(&mut self, account: AccountId, request: &Request<'_>) -> Result<(), StsError> {
        if let Some(text) = &self.policy {
            Document::parse(text, Kind::Identity)
                .map_err(|error| StsError::new(StsCode::MalformedPolicyDocument, error.to_string()))?;
        }
        let directory = request.service.directory();
        let own = format!("arn:aws:iam::{account}:policy/");
        let is_known = |arn: &String| {
            directory.managed_policy(arn).is_some()
                && (arn.starts_with(&own) || arn.contains(":iam::aws:policy/"))
        };
        if let Some(unknown) = self.policy_arns.iter().find(|arn| !is_known(arn)) {
            return Err(StsError::validation(format!(
                "ARN {unknown} is not of a policy of account {account}."
            )));
        }
        check_tags(&self.tags).map_err(StsError::validation)?;
        if let Some(key) = self.transitive.iter().find(|key| !self.tags.contains_key(*key)) {
            let text = format!("The transitive tag key {key} must be one of the session tags.");
            return Err(StsError::validation(text));
        }
        self.measure()
    }

    fn measure(&mut self) -> Result<(), StsError> {
        let texts =
            self.policy.iter().chain(&self.policy_arns).chain(self.tags.keys()).chain(self.tags.values());
        let bytes = texts.map(String::len).sum::<usize>();
        let percent = (bytes * 100).div_ceil(PACKED_POLICY_BYTES_MAX);
        if percent > 100 {
            let text =
                format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
            return Err(StsError::new(StsCode::PackedPolicyTooLarge, text));
        }
        self.packed_percent = (bytes > 0).then_some(percent);
        Ok(())
    }
}
