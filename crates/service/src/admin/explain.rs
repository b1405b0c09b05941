//! Why somebody may or may not do something: all policies and grants that bear on it, and what is missing.
//!
//! Operators are told everything, also what the caller must not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trent_domain::alias::AliasName;
use trent_domain::encryption_context::EncryptionContext;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{Caller, Source, Via};
use trent_gate::{Answer, Connection, Facts, Parameters, Subject};
use trent_policy::{Attached, By, Clause, Decision, Document, Kind, Miss, Near, Standing, Voice};

use super::{Outcome, Refused, Reply};
use crate::identity::Directory;
use crate::open::Service;
use needs::needs;

mod needs;

/// Who, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The ARN of a user, a root, a role or a session of one; or the name of a service.
    pub principal: String,
    /// The action, `kms:…`.
    pub action: String,
    /// The key; absent for actions about none.
    #[serde(default)]
    pub key: Option<String>,
    /// The alias, of actions that are asked about one too.
    #[serde(default)]
    pub alias: Option<String>,
    /// The Region.
    pub region: Region,
    /// Condition keys with their values.
    #[serde(default)]
    pub context: BTreeMap<String, Vec<String>>,
    /// A policy that the key shall have.
    #[serde(default)]
    pub key_policy: Option<String>,
    /// A policy that the session shall have.
    #[serde(default)]
    pub session_policy: Option<String>,
}

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Whether the action is allowed.
    pub allowed: bool,
    /// The caller, as denials name it.
    pub principal: String,
    /// The action.
    pub action: String,
    /// The key or alias by its ARN, or `*`.
    pub resource: String,
    /// What opens the key, or denies.
    pub reason: String,
    /// What the caller is told.
    pub message: Option<String>,
    /// All policies that bear on it.
    pub policies: Vec<PolicyLine>,
    /// The grants that allow it.
    pub grants: Vec<GrantLine>,
    /// What is missing for an allow.
    pub needs: Vec<String>,
    /// What else to know.
    pub notes: Vec<String>,
}

/// What one policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The statement that denies.
    pub denies: Option<String>,
    /// The statement that allows.
    pub allows: Option<String>,
    /// The statement that leaves it to the caller's account.
    pub delegates: Option<String>,
    /// Statements about the action that do not apply.
    pub near: Vec<NearLine>,
}

/// A statement that does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearLine {
    /// Which.
    pub statement: String,
    /// `Allow` or `Deny`.
    pub effect: String,
    /// Why it does not apply.
    pub because: Vec<String>,
}

/// A grant that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantLine {
    /// Its id.
    pub id: String,
    /// The account that made it.
    pub issuer: String,
}

impl Service {
    pub(super) async fn explain(&self, question: &Question) -> Outcome {
        let directory = self.directory();
        let (caller, standing) = who(&directory, question)?;
        let (context, given) = context(&question.context)?;
        let policy = question
            .key_policy
            .as_deref()
            .map(|text| read(text, "key policy", Kind::Resource))
            .transpose()?;
        let name = question.alias.as_deref().map(alias).transpose()?;
        let facts = Facts {
            caller: &caller,
            standing: &standing,
            region: question.region,
            grant_tokens: &[],
            now: self.now(),
            connection: &Connection::default(),
            parameters: Parameters::encryption(&[], &context),
        };
        let on = match (&name, question.key.as_deref()) {
            (Some(name), _) => Subject::Alias(name),
            (None, Some(key)) => Subject::Key(key),
            (None, None) => Subject::Account,
        };
        let asked =
            trent_gate::Question { action: &question.action, on, given: &given, key_policy: policy.as_ref() };
        let told =
            self.gate.explain(&asked, &facts, |answer| tell(&answer, &caller, on, question.region)).await;
        let explanation = Box::new(told.map_err(|error| Refused::new(error.to_string()))?);
        Ok(Reply::Explanation { explanation })
    }
}

/// The caller with the policies that bear on it.
fn who(directory: &Directory, question: &Question) -> Result<(Caller, Standing), Refused> {
    let given = |name: &str| {
        let mut keys = question.context.iter();
        keys.find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, values)| values.first())
    };
    let source = Source {
        arn: given("aws:SourceArn").map(|arn| Arc::from(arn.as_str())),
        account: given("aws:SourceAccount").and_then(|account| account.parse().ok()),
        organization: None,
    };
    let name = question.principal.as_str();
    let (caller, standing) = match name.starts_with("arn:") {
        true => principal(directory, name).ok_or_else(|| nobody(name))?,
        false if name.contains('.') => {
            let account: AccountId = "000000000000".parse().map_err(|_| nobody(name))?;
            (Caller::service(account, name, source.clone(), ""), Arc::default())
        }
        false => return Err(nobody(name)),
    };
    let via = given("kms:ViaService").map(|service| Via { service: service.as_str().into(), source });
    let organization = directory.organization(caller.account);
    let mut standing = Standing::clone(&standing);
    if let Some(text) = &question.session_policy {
        let document = Arc::new(read(text, "session policy", Kind::Identity)?);
        standing.session = Some(vec![Attached { name: "session policy".into(), document }]);
    }
    Ok((Caller { via, organization, ..caller }, standing))
}

fn principal(directory: &Directory, arn: &str) -> Option<(Caller, Arc<Standing>)> {
    // A role does not call by itself: a session of it does.
    let role = directory.unique_id(arn).and_then(|id| directory.role(id));
    match role {
        Some(entry) => {
            let role = &entry.role;
            let caller = Caller::role_session(role.account, &role.arn(), &role.unique_id, "explained", "");
            Some((Caller { tags: Arc::new(role.tags.clone()), ..caller }, Arc::clone(&entry.standing)))
        }
        None => directory.named(arn, ""),
    }
}

fn nobody(name: &str) -> Refused {
    Refused::new(format!(
        "nobody active is called `{name}`; give the ARN of a user, a role, a session (arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME) \
         or a root, or the name of a service; `trent admin user list` and `trent admin role list` show whom there is"
    ))
}

/// The pairs of the encryption context, and all other condition keys in lower case.
fn context(
    given: &BTreeMap<String, Vec<String>>,
) -> Result<(EncryptionContext, BTreeMap<String, Vec<String>>), Refused> {
    const PAIR: &str = "kms:encryptioncontext:";
    let (mut pairs, mut others) = (BTreeMap::new(), BTreeMap::new());
    for (key, values) in given {
        let lower = key.to_ascii_lowercase();
        match (lower.starts_with(PAIR).then(|| key.get(PAIR.len()..)).flatten(), values.as_slice()) {
            (Some(name), [value]) => drop(pairs.insert(name.to_owned(), value.clone())),
            (Some(_), _) => return Err(Refused::new(format!("`{key}` can have one value only"))),
            // These follow from the caller, which is made with them.
            (None, _) if matches!(&*lower, "kms:viaservice" | "aws:sourcearn" | "aws:sourceaccount") => {}
            (None, _) => drop(others.insert(lower, values.clone())),
        }
    }
    let pairs = EncryptionContext::parse(Some(pairs)).map_err(|error| Refused::new(error.to_string()))?;
    Ok((pairs, others))
}

fn read(text: &str, name: &str, kind: Kind) -> Result<Document, Refused> {
    Document::parse(text, kind).map_err(|error| {
        Refused::new(format!("the {name} is refused: {error}; `trent policy check` says what to do"))
    })
}

fn alias(name: &str) -> Result<AliasName, Refused> {
    AliasName::parse(name)
        .map_err(|error| Refused::new(format!("`{name}` is no alias name such as alias/app: {error}")))
}

fn tell(answer: &Answer<'_>, caller: &Caller, on: Subject<'_>, region: Region) -> Explained {
    let explanation = &answer.explanation;
    let resource = match (answer.key, on) {
        (Some(key), _) => key.arn().to_string(),
        (None, Subject::Alias(name)) => {
            format!("arn:{}:kms:{region}:{}:{name}", region.partition(), caller.account)
        }
        (None, _) => "*".to_owned(),
    };
    let alias_too = matches!(answer.action, "kms:CreateAlias" | "kms:UpdateAlias" | "kms:DeleteAlias");
    let mut notes = Vec::new();
    match on {
        Subject::Key(_) if alias_too => {
            notes.push(
                "The action has to be allowed on the alias too: ask again with --alias alias/NAME."
                    .to_owned(),
            );
        }
        Subject::Alias(_) => {
            notes.push("The action has to be allowed on the key too: ask again with --key.".to_owned());
        }
        _ => {}
    }
    notes.extend(
        answer
            .state
            .iter()
            .map(|state| format!("Once allowed, the request would fail for the key's state: {state}")),
    );
    Explained {
        allowed: explanation.decision.is_allowed(),
        principal: caller.arn.to_string(),
        action: answer.action.to_owned(),
        needs: needs(answer, caller, &resource),
        resource,
        reason: reason(answer),
        message: answer.denied.as_ref().map(ToString::to_string),
        policies: explanation.policies.iter().map(policy).collect(),
        grants: explanation
            .grants
            .iter()
            .map(|grant| GrantLine { id: grant.id.to_owned(), issuer: grant.issuer.to_owned() })
            .collect(),
        notes,
    }
}

fn reason(answer: &Answer<'_>) -> String {
    match &answer.explanation.decision {
        Decision::Allowed(allowance) => {
            let by = match allowance.by {
                By::Identity => "identity policies decide alone".to_owned(),
                By::KeyPolicy(clause) => format!("the key policy names the caller: {}", place(clause)),
                By::Delegation(clause) => {
                    format!("the key policy leaves it to the caller's account: {}", place(clause))
                }
                By::Grant(id) => format!("grant {id} allows it"),
            };
            match allowance.identity {
                Some(clause) => format!("{by}; `{}` allows it: {}", clause.document, place(clause)),
                None => by,
            }
        }
        Decision::Denied(denial) => match denial.clause {
            Some(clause) => {
                format!("the {} `{}` denies it: {}", clause.source.name(), clause.document, place(clause))
            }
            None => denial.explain(answer.action).to_string(),
        },
    }
}

fn policy(voice: &Voice<'_>) -> PolicyLine {
    PolicyLine {
        kind: voice.source.name().to_owned(),
        name: voice.document.to_owned(),
        denies: voice.denies.map(place),
        allows: voice.allows.map(place),
        delegates: voice.delegates.map(place),
        near: voice.near.iter().map(near).collect(),
    }
}

fn near(near: &Near<'_>) -> NearLine {
    let because = near.misses.iter().map(|miss| match miss {
        Miss::Principal => "it is for somebody else".to_owned(),
        Miss::Resource => "it is about another resource".to_owned(),
        Miss::Variable(key) => format!("the request has no `{key}`, which it has a variable for"),
        Miss::Condition { asked: (operator, key), values } => match values.as_slice() {
            [] => format!("`{operator}` of `{key}` is not met: the request has no such condition key"),
            [one] => format!("`{operator}` of `{key}` is not met by `{one}`"),
            many => format!("`{operator}` of `{key}` is not met by `{}`", many.join("`, `")),
        },
    });
    let effect = if near.allows { "Allow" } else { "Deny" };
    NearLine { statement: place(near.clause), effect: effect.to_owned(), because: because.collect() }
}

fn place(clause: Clause<'_>) -> String {
    match clause.sid {
        Some(sid) => format!("Statement[{}] (Sid `{sid}`)", clause.statement),
        None => format!("Statement[{}]", clause.statement),
    }
}
