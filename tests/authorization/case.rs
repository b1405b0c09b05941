//! A row of the table, and its answer.
//!
//! Names in braces stand for what a row cannot know: `{K}` for the ARN of its key, `{alice}` for that of a user.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) case: String,
    pub(crate) says: String,
    pub(crate) source: String,
    /// The statements of the key policy; without them the key has the one that keys have.
    pub(crate) key: Option<Value>,
    /// Those of the replica.
    pub(crate) replica: Option<Value>,
    /// What people have been given.
    #[serde(default)]
    pub(crate) people: BTreeMap<String, Given>,
    /// Service control policies of the key's account, a document each.
    #[serde(default)]
    pub(crate) scp: Vec<Value>,
    /// Its resource control policies.
    #[serde(default)]
    pub(crate) rcp: Vec<Value>,
    /// The session policy.
    pub(crate) session: Option<Value>,
    #[serde(default)]
    pub(crate) grants: Vec<Grant>,
    pub(crate) spec: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) origin: Option<String>,
    #[serde(default)]
    pub(crate) multi_region: bool,
    #[serde(default)]
    pub(crate) disabled: bool,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) alias_count: usize,
    /// Days that pass; the key is used in between.
    #[serde(default)]
    pub(crate) idle_days: Vec<i64>,
    /// A role that is deleted and made again under its name before the request.
    pub(crate) recreated: Option<String>,
    /// A user, `root`, the session of a role, or a service.
    pub(crate) caller: String,
    /// The service that calls for the caller.
    pub(crate) via: Option<String>,
    /// What a service calls for.
    pub(crate) source_arn: Option<String>,
    /// The endpoint that the request comes through.
    pub(crate) through: Option<Through>,
    pub(crate) operation: String,
    pub(crate) body: Value,
    pub(crate) region: Option<String>,
    /// What is wrong with the signature.
    pub(crate) signing: Option<Signing>,
    /// Whether a grant of the same name is found or another one made.
    pub(crate) again: Option<String>,
    /// Why it is not answered so yet.
    pub(crate) pending: Option<String>,
    pub(crate) answer: String,
}

/// What somebody has been given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    pub(crate) identity: Option<Value>,
    pub(crate) group: Option<Value>,
    pub(crate) boundary: Option<Value>,
}

/// A private endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Through {
    pub(crate) endpoint: String,
    pub(crate) network: String,
    /// What may pass; without it, everything.
    pub(crate) policy: Option<Value>,
}

/// A grant that is there before the request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    pub(crate) grantee: String,
    pub(crate) operations: Value,
    pub(crate) constraints: Option<Value>,
    pub(crate) retiring: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) key: Option<String>,
    /// Who makes it: the root of the key's account, unless somebody else.
    pub(crate) issuer: Option<String>,
    #[serde(default)]
    pub(crate) revoked: bool,
}

/// How a request is signed, where it is not signed well.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Signing {
    pub(crate) access_key: Option<String>,
    pub(crate) secret: Option<String>,
    /// By an access key that is switched off.
    pub(crate) inactive: bool,
    /// With the token of another session.
    pub(crate) token_of: Option<String>,
    /// After the session began.
    pub(crate) wait_seconds: i64,
    /// Earlier or later than now.
    pub(crate) seconds: i64,
    pub(crate) service: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) algorithm: Option<String>,
    /// In the query string, for so many seconds.
    pub(crate) presigned: Option<u32>,
    /// Headers beside.
    pub(crate) add: Vec<(String, String)>,
    /// Headers that are sent and not signed.
    pub(crate) unsigned: Vec<String>,
    /// Headers that are not sent.
    pub(crate) without: Vec<String>,
    /// Headers that are changed when it is signed.
    pub(crate) set: BTreeMap<String, String>,
    /// The body that is sent.
    pub(crate) body: Option<String>,
}

/// What a request is answered: the answer, or `Code: message`.
pub(crate) type Answer = Result<Value, String>;

/// What it should be.
#[derive(Debug)]
pub(crate) enum Expected {
    Allowed,
    /// Exactly this.
    Denied(String),
    /// A code, or more of what it begins with.
    Fails(String),
}

impl Expected {
    /// From the codes of the table, names already replaced, for a caller of this name.
    pub(crate) fn read(answer: &str, caller: &str) -> Self {
        let mut words = answer.split(' ');
        let (code, action) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let on = words.next().map_or(String::new(), |resource| format!("resource: {resource}"));
        const HIDDEN: &str = "because the resource does not exist in this Region, no resource-based policies allow access, \
                              or a resource-based policy explicitly denies access";
        let of_ciphertext = || "the resource associated with this ciphertext".to_owned();
        let kind = |letter: &str| match letter {
            "R" => Some("resource-based policy"),
            "I" => Some("identity-based policy"),
            "B" => Some("permissions boundary"),
            "S" => Some("session policy"),
            "C" => Some("service control policy"),
            "V" => Some("VPC endpoint policy"),
            _ => None,
        };
        let (letter, rest) = code.split_at_checked(1).unwrap_or_default();
        let (on, why) = match (letter, rest, kind(letter)) {
            ("a", "llow", _) => return Self::Allowed,
            ("X", "1", _) => ("this resource".to_owned(), HIDDEN.to_owned()),
            ("X", "2", _) => (of_ciphertext(), HIDDEN.to_owned()),
            ("I", "2", Some(kind)) => {
                (of_ciphertext(), format!("because no {kind} allows the {action} action"))
            }
            (_, "1", Some(kind)) => (on, format!("because no {kind} allows the {action} action")),
            (_, "D", Some(kind)) => {
                let article = if letter == "I" { "an" } else { "a" };
                (on, format!("with an explicit deny in {article} {kind}"))
            }
            _ => return Self::Fails(answer.to_owned()),
        };
        Self::Denied(format!(
            "AccessDeniedException: User: {caller} is not authorized to perform: {action} on {on} {why}"
        ))
    }

    pub(crate) fn fits(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Allowed, answer) => answer.is_ok(),
            (Self::Denied(text), Err(told)) => text == told,
            (Self::Fails(start), Err(told)) => told
                .strip_prefix(start.as_str())
                .is_some_and(|rest| start.contains(' ') || rest.is_empty() || rest.starts_with(':')),
            (_, Ok(_)) => false,
        }
    }
}
