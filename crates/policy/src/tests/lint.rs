//! The table of what is probably not meant.

use serde_json::json;

use super::cases::{each, equal, kind};
use crate::{Document, KnownAction, Surroundings};

const TABLE: &str = include_str!("../../testdata/lint.json");

/// Some actions of each kind; that all are handed in is tested where they are known.
pub(super) const ACTIONS: [KnownAction; 28] = [
    on_key("kms:CancelKeyDeletion"),
    on_key("kms:CreateAlias"),
    on_key("kms:CreateGrant"),
    on_key("kms:Decrypt"),
    on_key("kms:DeleteAlias"),
    on_key("kms:DeleteImportedKeyMaterial"),
    on_key("kms:DescribeKey"),
    on_key("kms:DisableKey"),
    on_key("kms:EnableKey"),
    on_key("kms:Encrypt"),
    on_key("kms:GenerateDataKey"),
    on_key("kms:GetKeyPolicy"),
    on_key("kms:GetPublicKey"),
    on_key("kms:ImportKeyMaterial"),
    on_key("kms:ListGrants"),
    on_key("kms:PutKeyPolicy"),
    on_key("kms:ReEncryptFrom"),
    on_key("kms:ReEncryptTo"),
    on_key("kms:ReplicateKey"),
    on_key("kms:RevokeGrant"),
    on_key("kms:ScheduleKeyDeletion"),
    on_key("kms:Sign"),
    on_key("kms:TagResource"),
    on_key("kms:UntagResource"),
    on_key("kms:UpdateKeyDescription"),
    KnownAction { name: "kms:CreateKey", in_key_policies: false, about_key: false },
    KnownAction { name: "kms:ListKeys", in_key_policies: false, about_key: false },
    KnownAction { name: "kms:RetireGrant", in_key_policies: false, about_key: true },
];

const fn on_key(name: &'static str) -> KnownAction {
    KnownAction { name, in_key_policies: true, about_key: true }
}

#[test]
fn what_is_probably_not_meant_is_found_and_nothing_else() {
    each(TABLE, |case| {
        let document =
            Document::parse(&case["document"].to_string(), kind(case)).map_err(|error| error.to_string())?;
        let around = Surroundings { account: case["account"].as_str(), actions: &ACTIONS };
        let found = document.lint(around);
        if let Some(finding) = found.iter().find(|finding| !finding.advice.ends_with('.')) {
            return Err(format!("{} does not say what to do", finding.code));
        }
        let found: Vec<_> = found.iter().map(|finding| json!([finding.code, finding.statement])).collect();
        equal(&json!(found), &case["expected"])
    });
}
