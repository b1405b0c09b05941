//! The condition keys of one check, looked up by name over borrowed facts: nothing is made that no policy asks for.
//!
//! Names come in lower case. What a request does not have is absent, and what that means is for each operator to
//! say. `kms:` and `trent:` keys are here, `aws:` keys in `condition_keys/global.rs`.

mod global;
mod text;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use trent_domain::encryption_context::EncryptionContext;
use trent_domain::key::Key;
use trent_domain::limits::ALIASES_PER_KEY_MAX;
use trent_domain::operations::{On, rules};
use trent_policy::{ConditionKeys, ValueList, Values};
use trent_protocol::Operation;

use crate::facts::{Attestation, Facts};
use text::Text;

/// The key that a check is about, as far as conditions may ask.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a Key,
    /// The alias that the request named it by.
    pub(crate) request_alias: Option<&'a str>,
    /// Its aliases, where a policy asks for them.
    pub(crate) aliases: Option<&'a [String]>,
    /// Whole days without use, for the operations that take a key out of use.
    pub(crate) idle_days: Option<i64>,
    /// Whether ReEncrypt stays on one key.
    pub(crate) same_key: Option<bool>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(key: &'a Key) -> Self {
        Self { key, request_alias: None, aliases: None, idle_days: None, same_key: None }
    }
}

/// The condition keys of one check.
pub(crate) struct RequestKeys<'a> {
    facts: &'a Facts<'a>,
    operation: Operation,
    subject: Option<Subject<'a>>,
    /// Whether the check is about an alias, which has no keys of its own.
    on_alias: bool,
    context_names: Names<'a>,
    tag_names: Names<'a>,
    /// The service that calls, by itself or in the caller's name.
    service: Option<[&'a str; 1]>,
    texts: Texts,
    too_many_aliases: Cell<bool>,
}

/// Values that have to be written out before they can be compared.
#[derive(Default)]
struct Texts {
    source_ip: OnceCell<Text>,
    now: OnceCell<Text>,
    now_seconds: OnceCell<Text>,
    issued: OnceCell<Text>,
    mfa_age: OnceCell<Text>,
    idle_days: OnceCell<Text>,
}

impl<'a> RequestKeys<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, operation: Operation, subject: Option<Subject<'a>>) -> Self {
        let caller = facts.caller;
        let service = caller.via.as_ref().map(|via| &*via.service).or(caller.service_name());
        Self {
            facts,
            operation,
            subject,
            on_alias: false,
            context_names: Names(facts.parameters.encryption_context.map(EncryptionContext::pairs)),
            tag_names: Names(facts.parameters.tags),
            service: service.map(|name| [name]),
            texts: Texts::default(),
            too_many_aliases: Cell::new(false),
        }
    }

    /// The keys of a check of an alias.
    pub(crate) fn of_alias(facts: &'a Facts<'a>, operation: Operation) -> Self {
        Self { on_alias: true, ..Self::new(facts, operation, None) }
    }

    /// Whether a policy asked for the aliases of a key that has more than it may have. AWS then denies.
    pub(crate) fn asked_for_too_many_aliases(&self) -> bool {
        self.too_many_aliases.get()
    }

    fn kms(&self, key: &str) -> Option<Values<'_>> {
        let parameters = &self.facts.parameters;
        if let Some(name) = key.strip_prefix("encryptioncontext:") {
            return parameters.encryption_context.and_then(|context| named(context.pairs(), name));
        }
        let one = match key {
            "encryptioncontextkeys" => return self.context_names.values(),
            "resourcealiases" => return self.resource_aliases(),
            "calleraccount" => self.has_key_conditions().then(|| self.account()).flatten(),
            "viaservice" => self.has_key_conditions().then(|| self.via()).flatten(),
            "grantisforawsresource" => self.is_for_aws_resource(),
            "requestalias" => self.subject?.request_alias,
            "reencryptonsamekey" => self.subject?.same_key.map(truth),
            "trailingdayswithoutkeyusage" => {
                let days = self.subject?.idle_days?;
                Some(self.texts.idle_days.get_or_init(|| Text::of(days)).as_str())
            }
            other => self.key_property(property(other)),
        };
        one.or_else(|| self.parameter(key)).map(Values::One).or_else(|| self.list(key))
    }

    /// A property of the key, of requests that are about one. Those that make one say it themselves.
    fn key_property(&self, name: &str) -> Option<&str> {
        let key = self.subject?.key;
        match name {
            "keyspec" => Some(key.spec.as_str()),
            "keyusage" => Some(key.usage.as_str()),
            "keyorigin" => Some(key.origin.as_str()),
            "multiregion" => Some(truth(key.multi_region.is_some())),
            "multiregionkeytype" => match () {
                () if key.is_multi_region_primary() => Some("PRIMARY"),
                () if key.is_replica() => Some("REPLICA"),
                () => None,
            },
            _ => None,
        }
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        let name = property(key);
        let values = self.facts.parameters.values.iter();
        values.into_iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    fn list(&self, key: &str) -> Option<Values<'_>> {
        let (_, list) = self.facts.parameters.lists.iter().find(|(own, _)| *own == key)?;
        Some(Values::Many(*list))
    }

    /// What an attested caller is known by; absent of all others.
    fn attested(&self, key: &str) -> Option<Values<'_>> {
        match self.facts.parameters.attested {
            Attestation::Verified(known) => {
                let (_, value) = known.iter().find(|(own, _)| own == key)?;
                Some(Values::One(value))
            }
            Attestation::Unverified(asked) => {
                asked.store(true, Relaxed);
                None
            }
        }
    }

    fn resource_aliases(&self) -> Option<Values<'_>> {
        let aliases = self.subject.as_ref()?.aliases.as_ref()?;
        if u64::try_from(aliases.len()).unwrap_or(u64::MAX) > ALIASES_PER_KEY_MAX {
            self.too_many_aliases.set(true);
            return None;
        }
        Some(Values::Many(aliases))
    }

    /// Whether the conditions that all operations on keys have apply. CreateKey has them too.
    fn has_key_conditions(&self) -> bool {
        let on = rules(self.operation).on;
        let about_keys = self.subject.is_some() || on == On::KeyStore || on == On::Grant;
        !self.on_alias && (about_keys || self.operation == Operation::CreateKey)
    }

    fn is_for_aws_resource(&self) -> Option<&'static str> {
        use Operation::{CreateGrant, ListGrants, RevokeGrant};
        let asks = matches!(self.operation, CreateGrant | ListGrants | RevokeGrant);
        asks.then(|| truth(self.facts.caller.via.is_some()))
    }

    fn via(&self) -> Option<&str> {
        self.facts.caller.via.as_ref().map(|via| &*via.service)
    }

    fn account(&self) -> Option<&str> {
        let caller = self.facts.caller;
        caller.service_name().is_none().then(|| caller.account.as_str())
    }
}

impl ConditionKeys for RequestKeys<'_> {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        match key.split_once(':') {
            Some(("kms", name)) if name.starts_with("recipientattestation:") => self.attested(key),
            Some(("trent", _)) => self.attested(key),
            Some(("kms", name)) if !self.on_alias => self.kms(name),
            Some(("kms", _)) => None,
            Some(("aws", name)) => self.global(name),
            // The claims of the token that began the session, by its issuer.
            Some(_) => named(&self.facts.caller.session.as_ref()?.claims, key),
            None => None,
        }
    }
}

/// The same keys as a key policy sees them: what its key is called is for identity policies alone.
pub(crate) struct ForKeyPolicy<'a>(pub(crate) &'a RequestKeys<'a>);

impl ConditionKeys for ForKeyPolicy<'_> {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        if key == "kms:resourcealiases" { None } else { self.0.values(key) }
    }
}

/// The names of pairs, as a list of values.
struct Names<'a>(Option<&'a BTreeMap<String, String>>);

impl Names<'_> {
    fn values(&self) -> Option<Values<'_>> {
        self.0.is_some().then_some(Values::Many(self))
    }
}

impl ValueList for Names<'_> {
    fn value(&self, index: usize) -> Option<&str> {
        self.0.and_then(|pairs| pairs.keys().nth(index)).map(String::as_str)
    }
}

/// The value of a pair whose name is the given one but for its case.
fn named<'m>(pairs: &'m BTreeMap<String, String>, name: &str) -> Option<Values<'m>> {
    let found = pairs.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| Values::One(value))
}

/// The newer name of a property, for the two that have an old one.
fn property(name: &str) -> &str {
    match name {
        "customermasterkeyspec" => "keyspec",
        "customermasterkeyusage" => "keyusage",
        other => other,
    }
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
