//! One condition: an operator, a key, and the values to compare with.

use crate::arn::ArnPattern;
use crate::facts::{ConditionKeys, Values};
use crate::json::{Json, duplicate};
use crate::malformed::{At, Malformed, Problem, excerpt};
use crate::operator::{Absent, Family, Operator, Quantifier, Relation, Sense};
use crate::pattern::{Case, Meaning, Pattern};
use crate::value::{Network, boolean, is_base64, number, timestamp};

/// A compiled condition.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// The key, in lower case.
    key: Box<str>,
    quantifier: Quantifier,
    sense: Sense,
    absent: Absent,
    wanted: Wanted,
}

/// The values of a policy; one of them must match, or for a negated operator none may.
#[derive(Debug, Clone)]
enum Wanted {
    Text(Box<[Pattern]>),
    TextIgnoreCase(Box<[Pattern]>),
    Number(Relation, Box<[f64]>),
    Date(Relation, Box<[i64]>),
    Bool(Box<[bool]>),
    Binary(Box<[Box<str>]>),
    Ip(Box<[Network]>),
    Arn(Box<[ArnPattern]>),
    Null(Box<[bool]>),
}

/// The keys of single pairs of the encryption context begin so.
const ENCRYPTION_CONTEXT_PREFIX: &str = "kms:encryptioncontext:";

/// Compiles a `Condition` element; the names of variables that have no default go to `required`.
pub(crate) fn compile(
    json: &Json,
    variables: bool,
    at: At<'_>,
    required: &mut Vec<Box<str>>,
) -> Result<Box<[Condition]>, Malformed> {
    let mut conditions = Vec::new();
    for (name, keys) in object(json, at)? {
        let operator =
            Operator::parse(name).ok_or_else(|| at.refuse(Problem::UnknownOperator(excerpt(name))))?;
        for (key, values) in object(keys, at)? {
            let entry = Entry { name, operator, key, variables, at };
            conditions.push(entry.compile(values, required)?);
        }
    }
    Ok(conditions.into())
}

fn object<'j>(json: &'j Json, at: At<'_>) -> Result<&'j [(String, Json)], Malformed> {
    let Json::Object(members) = json else {
        return Err(at.refuse(Problem::WrongType { expected: "an object", found: json.type_name() }));
    };
    match duplicate(members) {
        Some(name) => Err(at.refuse(Problem::DuplicateMember(excerpt(name)))),
        None => Ok(members),
    }
}

impl Condition {
    /// The key, in lower case.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the request meets the condition.
    pub(crate) fn is_met(&self, keys: &dyn ConditionKeys) -> bool {
        let values = keys.values(&self.key).filter(|values| values.iter().next().is_some());
        if let Wanted::Null(wanted) = &self.wanted {
            return wanted.contains(&values.is_none());
        }
        match values {
            None => self.is_met_without_key(),
            Some(values) => self.is_met_by(values, keys),
        }
    }

    fn is_met_without_key(&self) -> bool {
        let by_quantifier = match self.quantifier {
            Quantifier::Plain => self.sense == Sense::Negated,
            Quantifier::All => true,
            Quantifier::Any => false,
        };
        by_quantifier || self.absent == Absent::Satisfied
    }

    fn is_met_by(&self, values: Values<'_>, keys: &dyn ConditionKeys) -> bool {
        let negated = self.sense == Sense::Negated;
        let matches = |value| self.wanted.matches(value, keys);
        match self.quantifier {
            // Several values without a quantifier are undefined in AWS. Here negation stays the opposite:
            // one match is enough for the positive, and too much for the negated operator.
            Quantifier::Plain => values.iter().any(matches) != negated,
            Quantifier::All => values.iter().all(|value| matches(value) != negated),
            Quantifier::Any => values.iter().any(|value| matches(value) != negated),
        }
    }
}

impl Wanted {
    /// Whether a value of the request matches one of the policy's. A value that is not of the operator's
    /// type matches none, so that it meets a negated operator, like any other value that differs.
    fn matches(&self, value: &str, keys: &dyn ConditionKeys) -> bool {
        match self {
            Wanted::Text(all) => all.iter().any(|p| p.matches(value, Case::Exact, keys)),
            Wanted::TextIgnoreCase(all) => all.iter().any(|p| p.equals_ignoring_case(value, keys)),
            Wanted::Number(relation, all) => {
                number(value).is_some_and(|v| all.iter().any(|wanted| relation.holds(&v, wanted)))
            }
            Wanted::Date(relation, all) => {
                timestamp(value).is_some_and(|v| all.iter().any(|wanted| relation.holds(&v, wanted)))
            }
            Wanted::Bool(all) => boolean(value).is_some_and(|v| all.contains(&v)),
            Wanted::Binary(all) => all.iter().any(|wanted| **wanted == *value),
            Wanted::Ip(all) => all.iter().any(|network| network.contains_text(value)),
            Wanted::Arn(all) => all.iter().any(|arn| arn.matches(value, keys)),
            Wanted::Null(_) => false,
        }
    }
}

/// One key under one operator, while it is compiled.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    operator: Operator,
    key: &'a str,
    variables: bool,
    at: At<'a>,
}

impl Entry<'_> {
    fn compile(self, values: &Json, required: &mut Vec<Box<str>>) -> Result<Condition, Malformed> {
        let key: Box<str> = self.key.to_ascii_lowercase().into();
        if self.operator.quantifier == Quantifier::All && key.starts_with(ENCRYPTION_CONTEXT_PREFIX) {
            return Err(self.at.refuse(Problem::OverlyPermissive));
        }
        let texts = values.as_list().iter().map(|value| self.text(value)).collect::<Result<Vec<_>, _>>()?;
        let wanted = self.wanted(&texts, required)?;
        let Operator { quantifier, sense, absent, .. } = self.operator;
        Ok(Condition { key, quantifier, sense, absent, wanted })
    }

    /// Numbers and booleans are compared as if they had been written as strings.
    fn text(self, value: &Json) -> Result<String, Malformed> {
        match value {
            Json::Text(text) => Ok(text.clone()),
            Json::Number(number) => Ok(number.to_string()),
            Json::Bool(value) => Ok(value.to_string()),
            other => Err(self.at.refuse(Problem::WrongType {
                expected: "a string, number or boolean, or a list of them",
                found: other.type_name(),
            })),
        }
    }

    fn wanted(self, texts: &[String], required: &mut Vec<Box<str>>) -> Result<Wanted, Malformed> {
        Ok(match self.operator.family {
            Family::Text => Wanted::Text(self.patterns(texts, false, required)?),
            Family::TextIgnoreCase => Wanted::TextIgnoreCase(self.patterns(texts, false, required)?),
            Family::TextLike => Wanted::Text(self.patterns(texts, true, required)?),
            Family::Number(relation) => Wanted::Number(relation, self.all(texts, number, "a number")?),
            Family::Date(relation) => {
                let expected = "a date in ISO 8601 with a zone, or epoch seconds";
                Wanted::Date(relation, self.all(texts, timestamp, expected)?)
            }
            Family::Bool => Wanted::Bool(self.all(texts, boolean, "`true` or `false`")?),
            Family::Null => Wanted::Null(self.all(texts, boolean, "`true` or `false`")?),
            Family::Binary => Wanted::Binary(self.all(texts, base64, "padded base64")?),
            Family::Ip => Wanted::Ip(self.all(texts, Network::parse, "an IP address or CIDR range")?),
            Family::Arn => Wanted::Arn(self.arns(texts, required)?),
        })
    }

    fn all<T>(
        self,
        texts: &[String],
        read: impl Fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<Box<[T]>, Malformed> {
        texts.iter().map(|text| read(text).ok_or_else(|| self.invalid(text, expected))).collect()
    }

    fn patterns(
        self,
        texts: &[String],
        wildcards: bool,
        required: &mut Vec<Box<str>>,
    ) -> Result<Box<[Pattern]>, Malformed> {
        texts.iter().map(|text| self.pattern(text, wildcards, required)).collect()
    }

    fn arns(self, texts: &[String], required: &mut Vec<Box<str>>) -> Result<Box<[ArnPattern]>, Malformed> {
        let arn = |text: &String| {
            let pattern = self.pattern(text, true, required)?;
            ArnPattern::new(&pattern).ok_or_else(|| self.invalid(text, "an ARN of six parts"))
        };
        texts.iter().map(arn).collect()
    }

    fn pattern(
        self,
        text: &str,
        wildcards: bool,
        required: &mut Vec<Box<str>>,
    ) -> Result<Pattern, Malformed> {
        let meaning = Meaning { wildcards, variables: self.variables };
        let pattern = Pattern::parse(text, meaning)
            .map_err(|flaw| self.at.refuse(Problem::InvalidVariable { text: excerpt(text), flaw }))?;
        required.extend(pattern.required().map(Into::into));
        Ok(pattern)
    }

    fn invalid(self, value: &str, expected: &'static str) -> Malformed {
        let (operator, key, value) = (excerpt(self.name), excerpt(self.key), excerpt(value));
        self.at.refuse(Problem::InvalidValue { operator, key, value, expected })
    }
}

fn base64(text: &str) -> Option<Box<str>> {
    is_base64(text).then(|| text.into())
}
