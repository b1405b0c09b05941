//! A decision asked about rather than asked for: whether somebody may, and why, without doing anything.
//!
//! It is made from the same facts by the same function as a request's; only that condition keys can be given by hand,
//! since there is no request to take them from, and another key policy be tried.

use std::collections::BTreeMap;

use trent_domain::alias::AliasName;
use trent_domain::identifier::{AliasArn, KeyArn, KeyName};
use trent_domain::key::Key;
use trent_domain::operations::{Accounts, Names, On, rules};
use trent_policy::{ConditionKeys, Decision, Document, Explanation, KeyTarget, Target, Values, explain};
use trent_protocol::Operation;

use crate::actions::ACTIONS;
use crate::condition_keys::{ForKeyPolicy, RequestKeys};
use crate::decision::{refused, request};
use crate::facts::Facts;
use crate::find::{Found, FoundBy};
use crate::opening::Gate;
use crate::refusal::{AccessDenied, DeniedOn, Refusal};

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The action, `kms:…`.
    pub action: &'a str,
    /// What it is to be done on.
    pub on: Subject<'a>,
    /// Condition keys that the request shall have, in lower case.
    pub given: &'a BTreeMap<String, Vec<String>>,
    /// The policy that the key shall have.
    pub key_policy: Option<&'a Document>,
}

/// What an action is to be done on.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The account in the Region.
    Account,
    /// An alias of the caller's account.
    Alias(&'a AliasName),
    /// A key, by whatever name.
    Key(&'a str),
}

/// What is answered.
pub struct Answer<'a> {
    /// The decision, and what led to it.
    pub explanation: Explanation<'a>,
    /// What the caller is told, if it is denied.
    pub denied: Option<Box<AccessDenied>>,
    /// The key.
    pub key: Option<&'a Key>,
    /// The action by its own name.
    pub action: &'static str,
    /// Why the operation would fail all the same, for the state of the key.
    pub state: Option<String>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No such action.
    #[error("there is no action `{0}`; the operations of the API are the actions, such as kms:Decrypt")]
    Action(String),
    /// ReEncrypt is two.
    #[error(
        "ReEncrypt is asked about as kms:ReEncryptFrom on the source and kms:ReEncryptTo on the destination"
    )]
    ReEncrypt,
    /// The action is about no key.
    #[error("{0} is about no key; leave --key out")]
    NoKey(&'static str),
    /// The action is about a key.
    #[error("{0} is about a key; name it with --key")]
    NeedsKey(&'static str),
    /// No such key.
    #[error("there is no key {0}; name another with --key, or another Region with --region")]
    UnknownKey(String),
    /// The gate failed, or what names the key is no name.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Gate {
    /// Answers a question; `tell` makes of the answer what is to be kept of it.
    pub async fn explain<T>(
        &self,
        question: &Question<'_>,
        facts: &Facts<'_>,
        tell: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, Unanswered> {
        let (action, operation) = action(question.action)?;
        let own_side = matches!(rules(operation).on, On::Account | On::KeyStore);
        match question.on {
            Subject::Key(_) if own_side => Err(Unanswered::NoKey(action)),
            Subject::Account if !own_side && operation != Operation::ListRetirableGrants => {
                Err(Unanswered::NeedsKey(action))
            }
            Subject::Account => {
                let keys = RequestKeys::new(facts, operation, None);
                let given = Given { given: question.given, under: &keys };
                Ok(tell(answer(action, facts, &given, None)))
            }
            Subject::Alias(name) => {
                let keys = RequestKeys::of_alias(facts, operation);
                let arn =
                    AliasArn { region: facts.region, account: facts.caller.account, name: name.clone() };
                let given = Given { given: question.given, under: &keys };
                Ok(tell(answer(action, facts, &given, Some(&arn.to_string()))))
            }
            Subject::Key(name) => self.explain_on_key((action, operation), name, question, facts, tell).await,
        }
    }

    async fn explain_on_key<T>(
        &self,
        (action, operation): (&'static str, Operation),
        name: &str,
        question: &Question<'_>,
        facts: &Facts<'_>,
        tell: impl FnOnce(Answer<'_>) -> T,
    ) -> Result<T, Unanswered> {
        let mut found = self.find_for_question(name, operation, facts).await?;
        if facts.standing.asks_for_aliases() {
            found.aliases = Some(self.read_aliases(found.entry.key.region, found.entry.key.id).await?);
        }
        if matches!(operation, Operation::DisableKey | Operation::ScheduleKeyDeletion) {
            found.idle_days = Some(self.idle_days(&found.entry, facts).await?);
        }
        let key = &found.entry.key;
        let grants = self.matching_grants_for(action, key.arn(), facts).await?;
        let keys = RequestKeys::new(facts, operation, Some(found.subject()));
        let for_policy = ForKeyPolicy(&keys);
        let given = Given { given: question.given, under: &keys };
        let for_policy = Given { given: question.given, under: &for_policy };
        let target = KeyTarget {
            arn: &found.entry.arn,
            account: key.account.as_str(),
            policy: question.key_policy.unwrap_or(&found.entry.policy),
            keys: &for_policy,
            grants: &grants,
            cross_account: rules(operation).accounts == Accounts::Any,
        };
        let explanation = explain(&request(action, facts, &given, Target::Key(target)));
        let denied = denied(action, facts, &explanation, || DeniedOn::Resource(found.entry.arn.to_string()));
        let state = rules(operation).states.check(key).err().map(|error| error.to_string());
        Ok(tell(Answer { explanation, denied, key: Some(key), action, state }))
    }

    async fn find_for_question(
        &self,
        name: &str,
        operation: Operation,
        facts: &Facts<'_>,
    ) -> Result<Found, Unanswered> {
        let unknown = || Unanswered::UnknownKey(format!("`{name}` in Region {}", facts.region));
        let own = facts.caller.account;
        let (account, id, alias) = match KeyName::parse(name, facts.region).map_err(Refusal::from)? {
            KeyName::Id(id) => (None, id, None),
            KeyName::Arn(KeyArn { account, id, .. }) => (Some(account), id, None),
            KeyName::Alias(alias) => {
                let id = self.alias_target(own, facts.region, &alias).await?.ok_or_else(unknown)?;
                (Some(own), id, Some(alias))
            }
            KeyName::AliasArn(AliasArn { account, name, .. }) => {
                let id = self.alias_target(account, facts.region, &name).await?.ok_or_else(unknown)?;
                (Some(account), id, Some(name))
            }
        };
        let entry = self.entry(facts.region, id).await?;
        let entry = entry.filter(|entry| account.is_none_or(|account| account == entry.key.account));
        // Only some operations can be told a key by its alias.
        let alias = alias.filter(|_| rules(operation).names == Names::Any);
        entry.map(|entry| Found { alias, ..Found::new(entry, FoundBy::Name) }).ok_or_else(unknown)
    }
}

fn action(name: &str) -> Result<(&'static str, Operation), Unanswered> {
    let is = |own: &str| {
        name.eq_ignore_ascii_case(own)
            || own.strip_prefix("kms:").is_some_and(|own| name.eq_ignore_ascii_case(own))
    };
    if is("kms:ReEncrypt") || is("kms:ReEncrypt*") {
        return Err(Unanswered::ReEncrypt);
    }
    let found = ACTIONS.iter().find(|(own, _)| is(own)).copied();
    found.ok_or_else(|| Unanswered::Action(name.to_owned()))
}

fn answer<'a>(
    action: &'static str,
    facts: &'a Facts<'a>,
    given: &'a Given<'a>,
    alias: Option<&'a str>,
) -> Answer<'a> {
    let target = alias.map_or(Target::Account, Target::Alias);
    let explanation = explain(&request(action, facts, given, target));
    let denied = denied(action, facts, &explanation, || DeniedOn::Resource(alias.unwrap_or("*").to_owned()));
    Answer { explanation, denied, key: None, action, state: None }
}

fn denied(
    action: &'static str,
    facts: &Facts<'_>,
    explanation: &Explanation<'_>,
    on: impl FnOnce() -> DeniedOn,
) -> Option<Box<AccessDenied>> {
    match &explanation.decision {
        Decision::Allowed(_) => None,
        Decision::Denied(denial) => match refused(action, facts, denial, on) {
            Refusal::Denied(denied) => Some(denied),
            _ => None,
        },
    }
}

/// Condition keys given by hand, before those of the facts.
struct Given<'a> {
    given: &'a BTreeMap<String, Vec<String>>,
    under: &'a dyn ConditionKeys,
}

impl ConditionKeys for Given<'_> {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        match self.given.get(key).map(Vec::as_slice) {
            None => self.under.values(key),
            Some([one]) => Some(Values::One(one)),
            Some(_) => self.given.get(key).map(|many| Values::Many(many)),
        }
    }
}
