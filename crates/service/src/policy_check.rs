//! A policy document judged without a server: what would refuse it, and what in it is probably not meant.
//!
//! Refusals are those of PutKeyPolicy, by the same code. What they cannot say without a server is left out: whether
//! principals exist, and whether a certain caller would lock itself out.

use serde::Serialize;
use trent_domain::identifier::AccountId;
use trent_domain::limits::POLICY_BYTES_MAX;
use trent_gate::known_actions;
use trent_policy::{Directory, Document, Finding, Kind, Problem, Surroundings};
use trent_protocol::{DecodeError, ErrorCode, PutKeyPolicyRequest, Request};

use crate::error::KmsError;
use crate::identity::file::position;
use crate::operations::policies::{LOCKED_OUT, read};

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// A key policy.
    Key,
    /// A policy of a user, group, role or session, or one above them.
    Identity,
    /// The policy that says who may assume a role.
    Trust,
}

/// What is to be said of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyReport {
    /// Why it would be refused; at most one for its form, and one for its administration.
    pub errors: Vec<PolicyRemark>,
    /// What is probably not meant.
    pub warnings: Vec<PolicyRemark>,
}

/// One thing to be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyRemark {
    /// The error of the API, or the name of the warning.
    pub code: String,
    /// Line and column, from 1, where the document is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<(usize, usize)>,
    /// The statement, from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// Its `Sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What is the case; for errors the text of the API.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// The statement that leaves administration with the account gives it to nobody whose account is another.
const NOBODY: &str = "nobody-administers";

/// Judges a document; `account` is that of the key or the identity.
pub fn check_policy(text: &str, kind: PolicyKind, account: Option<AccountId>) -> PolicyReport {
    let read = match kind {
        PolicyKind::Key => as_put(text),
        PolicyKind::Identity => parse(text, Kind::Identity),
        PolicyKind::Trust => parse(text, Kind::Trust),
    };
    let document = match read {
        Ok(document) => document,
        Err(error) => {
            let refusal = PolicyRemark { place: place(text), ..refusal(&error, text) };
            return PolicyReport { errors: vec![refusal], warnings: Vec::new() };
        }
    };
    let actions = known_actions();
    let account = account.as_ref().map(AccountId::as_str);
    let (errors, warnings): (Vec<Finding>, Vec<Finding>) = document
        .lint(Surroundings { account, actions: &actions })
        .into_iter()
        .partition(|finding| finding.code == NOBODY);
    PolicyReport {
        errors: errors.into_iter().map(locked_out).collect(),
        warnings: warnings.into_iter().map(PolicyRemark::from).collect(),
    }
}

// The constraints of the model come first, as they do with a request.
fn as_put(text: &str) -> Result<Document, KmsError> {
    let body = serde_json::json!({"KeyId": "any", "Policy": text}).to_string();
    match PutKeyPolicyRequest::decode(body.as_bytes()) {
        Ok(request) => read(&request.policy, POLICY_BYTES_MAX, &Anybody),
        Err(DecodeError::Validation(text)) => Err(KmsError::validation(text)),
        Err(DecodeError::Serialization) => Err(KmsError::bare(ErrorCode::Serialization)),
    }
}

fn parse(text: &str, kind: Kind) -> Result<Document, KmsError> {
    Document::parse(text, kind)
        .map_err(|error| KmsError::new(ErrorCode::MalformedPolicyDocument, error.wire_text()))
}

/// Where a document stops being JSON. The API tells the byte, of which people see nothing in their editors.
fn place(text: &str) -> Option<(usize, usize)> {
    match Document::parse(text, Kind::Identity).err()?.problem() {
        Problem::Syntax { offset, .. } => Some(position(text, *offset)),
        _ => None,
    }
}

fn refusal(error: &KmsError, text: &str) -> PolicyRemark {
    let advice = match error.code {
        ErrorCode::Validation if text.is_empty() => "Write a policy document into the file.",
        ErrorCode::Validation => {
            "Use only characters up to U+00FF, no control characters but tab and line ends, and at most 131072 characters."
        }
        ErrorCode::LimitExceeded => "Shorten the document: join statements, and leave out white space.",
        ErrorCode::InvalidArn => {
            "Name accounts, users, roles or sessions by whole ARNs, without wildcards; groups cannot be named."
        }
        _ if error.message.as_deref().is_some_and(|text| text.contains("invalid principals")) => {
            "Replace unique ids such as AIDA… or AROA…, and whatever is no ARN of a user or role: whoever they stood for is gone."
        }
        _ => "Correct the document at the place that the message names.",
    };
    let message = error.message.clone().unwrap_or_default();
    PolicyRemark {
        code: error.code.to_string(),
        place: None,
        statement: None,
        sid: None,
        message,
        advice: advice.to_owned(),
    }
}

fn locked_out(finding: Finding) -> PolicyRemark {
    let advice = format!(
        "Here {}. {} BypassPolicyLockoutSafetyCheck puts it all the same.",
        finding.says, finding.advice
    );
    let code = ErrorCode::MalformedPolicyDocument.to_string();
    PolicyRemark { code, message: LOCKED_OUT.to_owned(), advice, ..PolicyRemark::from(finding) }
}

impl From<Finding> for PolicyRemark {
    fn from(Finding { code, statement, sid, says, advice }: Finding) -> Self {
        Self { code: code.to_owned(), place: None, statement, sid, message: says, advice: advice.to_owned() }
    }
}

/// Everybody exists: who does is known to servers alone.
struct Anybody;

impl Directory for Anybody {
    fn knows_account(&self, _id: &str) -> bool {
        true
    }

    fn knows_principal(&self, _arn: &str) -> bool {
        true
    }

    fn knows_service(&self, _name: &str) -> bool {
        true
    }

    fn unique_id(&self, _arn: &str) -> Option<String> {
        None
    }

    fn arn(&self, _unique_id: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOOK: &str = include_str!("../../../docs/book/policies.md");

    fn warnings(statement: &serde_json::Value) -> Vec<String> {
        let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let report = check_policy(&document, PolicyKind::Identity, None);
        assert_eq!(report.errors, []);
        report.warnings.into_iter().map(|remark| remark.code).collect()
    }

    #[test]
    fn what_is_no_json_is_told_with_line_and_column() {
        for kind in [PolicyKind::Key, PolicyKind::Identity, PolicyKind::Trust] {
            let report =
                check_policy("{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [,]\n}", kind, None);
            assert_eq!(report.errors.len(), 1);
            assert_eq!(report.errors[0].place, Some((3, 17)), "{:?}", report.errors);
        }
        let report = check_policy("{}", PolicyKind::Identity, None);
        assert_eq!(report.errors[0].place, None);
    }

    #[test]
    fn all_actions_are_known() {
        for action in known_actions() {
            let statement = json!({"Effect": "Deny", "Action": action.name, "Resource": "*"});
            assert_eq!(warnings(&statement), [""; 0], "{}", action.name);
        }
        let statement = json!({"Effect": "Deny", "Action": "kms:Decipher", "Resource": "*"});
        assert_eq!(warnings(&statement), ["unknown-action"]);
    }

    #[test]
    fn all_documented_condition_keys_are_known() {
        let (_, table) = BOOK.split_once("## Condition keys").unwrap();
        let rows =
            table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
        let keys =
            rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|key| !key.contains("ISSUER"));
        let keys: Vec<_> = keys.map(|key| key.replace("NAME", "x")).collect();
        assert!(keys.len() > 60, "{keys:?}");
        for key in keys {
            let statement = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Null": {&key: "true"}}});
            assert_eq!(warnings(&statement), [""; 0], "{key}");
        }
    }

    // Where the table of conditions names an action that there is not, its condition would seem never to be met.
    #[test]
    fn all_condition_keys_are_of_actions_that_there_are() {
        for key in
            ["kms:RequestAlias", "kms:PolicyName", "kms:EncryptionContextKeys", "aws:TagKeys", "kms:ValidTo"]
        {
            let statement = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": {"Null": {key: "false"}}});
            assert_eq!(warnings(&statement), [""; 0], "{key}");
        }
    }
}
