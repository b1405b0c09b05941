//! A statement as its author wrote it, beside its compiled form.

use super::Finding;
use crate::document::{Document, Kind};
use crate::facts::{ConditionKeys, Values};
use crate::json::Json;
use crate::operator::{Absent, Operator, Quantifier, Sense};
use crate::statement::{Effect, Statement};

/// A statement.
pub(super) struct View<'a> {
    pub(super) kind: Kind,
    /// Whether the document's version has variables.
    pub(super) variables: bool,
    index: usize,
    pub(super) compiled: &'a Statement,
    members: &'a [(String, Json)],
    pub(super) conditions: Vec<Asked<'a>>,
}

/// A condition.
pub(super) struct Asked<'a> {
    /// The operator as written.
    pub(super) name: &'a str,
    pub(super) operator: Operator,
    /// The key as written.
    pub(super) key: &'a str,
    /// The values that are texts.
    pub(super) values: Vec<&'a str>,
    /// Whether there is no value at all.
    pub(super) empty: bool,
}

impl Asked<'_> {
    /// Whether it is met only by requests that have the key.
    pub(super) fn needs_key(&self) -> bool {
        let null = self.name == "Null";
        match self.operator.quantifier {
            _ if self.operator.absent == Absent::Satisfied => false,
            Quantifier::All => false,
            Quantifier::Any => true,
            Quantifier::Plain if null => self.values == ["false"],
            Quantifier::Plain => self.operator.sense == Sense::Positive,
        }
    }
}

impl<'a> View<'a> {
    /// All statements of a document.
    pub(super) fn all(document: &'a Document) -> Vec<Self> {
        let source = document.source();
        let variables = source.member("Version").is_some_and(|version| texts(version) == ["2012-10-17"]);
        let written = source.member("Statement").map_or(&[][..], Json::as_list);
        let pairs = written.iter().zip(document.statements()).enumerate();
        pairs
            .filter_map(|(index, (json, compiled))| {
                let Json::Object(members) = json else { return None };
                let conditions = conditions(members);
                Some(Self { kind: document.kind(), variables, index, compiled, members, conditions })
            })
            .collect()
    }

    pub(super) fn allows(&self) -> bool {
        self.compiled.effect == Effect::Allow
    }

    /// Whether an action is among those of the statement.
    pub(super) fn names(&self, action: &str) -> bool {
        self.compiled.names_action(action, &NoKeys)
    }

    /// The texts of an element; none if it is not there.
    pub(super) fn texts(&self, element: &str) -> Vec<&'a str> {
        let found = self.members.iter().find(|(name, _)| name == element);
        found.map_or(Vec::new(), |(_, json)| texts(json))
    }

    /// The names of one kind under `Principal` or `NotPrincipal`; a bare `*` is of the kind `AWS`.
    pub(super) fn principals(&self, element: &str, kind: &str) -> Vec<&'a str> {
        match self.members.iter().find(|(name, _)| name == element) {
            Some((_, Json::Object(kinds))) => {
                kinds.iter().find(|(own, _)| own == kind).map_or(Vec::new(), |(_, json)| texts(json))
            }
            Some((_, json)) if kind == "AWS" => texts(json),
            _ => Vec::new(),
        }
    }

    pub(super) fn has(&self, element: &str) -> bool {
        self.members.iter().any(|(name, _)| name == element)
    }

    /// Whether a condition is about one of these keys; those that end in `/` stand for all that begin so.
    pub(super) fn asks_for_any(&self, keys: &[&str]) -> bool {
        self.conditions.iter().any(|asked| keys.iter().any(|key| super::keys::is_key(asked.key, key)))
    }

    /// Whether the statement applies on no condition.
    pub(super) fn is_unconditional(&self) -> bool {
        self.conditions.is_empty()
    }

    pub(super) fn finding(&self, code: &'static str, says: String, advice: &'static str) -> Finding {
        let sid = self.compiled.sid.as_deref().map(str::to_owned);
        Finding { code, statement: Some(self.index), sid, says, advice }
    }
}

/// The account in a principal's name.
pub(super) fn account_of(principal: &str) -> Option<&str> {
    let account = crate::arn::segments(principal).map_or(principal, |[.., account, _]| account);
    Some(account).filter(|account| crate::arn::is_account(account))
}

fn conditions(members: &[(String, Json)]) -> Vec<Asked<'_>> {
    let Some((_, Json::Object(operators))) = members.iter().find(|(name, _)| name == "Condition") else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, keys) in operators {
        let (Some(operator), Json::Object(keys)) = (Operator::parse(name), keys) else { continue };
        all.extend(keys.iter().map(|(key, values)| {
            let empty = values.as_list().is_empty();
            Asked { name, operator, key, values: texts(values), empty }
        }));
    }
    all
}

/// The texts in a list, or the one that stands alone; booleans may be written without quotes.
fn texts(json: &Json) -> Vec<&str> {
    json.as_list().iter().filter_map(text).collect()
}

fn text(json: &Json) -> Option<&str> {
    match json {
        Json::Text(text) => Some(text),
        Json::Bool(value) => Some(if *value { "true" } else { "false" }),
        _ => None,
    }
}

/// No condition keys: actions have no variables that would ask for one.
pub(super) struct NoKeys;

impl ConditionKeys for NoKeys {
    fn values(&self, _key: &str) -> Option<Values<'_>> {
        None
    }
}
