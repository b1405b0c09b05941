//! The names of condition operators and what they mean.

/// An operator as written, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) quantifier: Quantifier,
    pub(crate) family: Family,
    pub(crate) sense: Sense,
    pub(crate) absent: Absent,
}

/// How many of the request's values must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// No prefix.
    Plain,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Text,
    TextIgnoreCase,
    TextLike,
    Number(Relation),
    Date(Relation),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// The relation of a request's value to a policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether a match is wanted, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    Positive,
    Negated,
}

/// What an absent key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// What the quantifier and the sense say.
    AsUsual,
    /// `…IfExists`: true.
    Satisfied,
}

impl Operator {
    /// Reads an operator's name, `None` if there is no such operator.
    pub(crate) fn parse(name: &str) -> Option<Operator> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::Plain, name),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(_) => return None,
        };
        let (base, absent) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, Absent::Satisfied),
            None => (rest, Absent::AsUsual),
        };
        let (family, sense) = family(base)?;
        // Asking whether a key is there makes no sense of each of its values, nor only if it is there.
        if family == Family::Null && (quantifier, absent) != (Quantifier::Plain, Absent::AsUsual) {
            return None;
        }
        Some(Operator { quantifier, family, sense, absent })
    }
}

impl Relation {
    /// Whether `value` stands in this relation to `wanted`.
    pub(crate) fn holds<T: PartialOrd>(self, value: &T, wanted: &T) -> bool {
        match self {
            Relation::Equal => value == wanted,
            Relation::Less => value < wanted,
            Relation::LessOrEqual => value <= wanted,
            Relation::Greater => value > wanted,
            Relation::GreaterOrEqual => value >= wanted,
        }
    }
}

#[rustfmt::skip]
fn family(base: &str) -> Option<(Family, Sense)> {
    use Family::*;
    use Relation::*;
    use Sense::*;
    Some(match base {
        "StringEquals"              => (Text, Positive),
        "StringNotEquals"           => (Text, Negated),
        "StringEqualsIgnoreCase"    => (TextIgnoreCase, Positive),
        "StringNotEqualsIgnoreCase" => (TextIgnoreCase, Negated),
        "StringLike"                => (TextLike, Positive),
        "StringNotLike"             => (TextLike, Negated),
        "NumericEquals"             => (Number(Equal), Positive),
        "NumericNotEquals"          => (Number(Equal), Negated),
        "NumericLessThan"           => (Number(Less), Positive),
        "NumericLessThanEquals"     => (Number(LessOrEqual), Positive),
        "NumericGreaterThan"        => (Number(Greater), Positive),
        "NumericGreaterThanEquals"  => (Number(GreaterOrEqual), Positive),
        "DateEquals"                => (Date(Equal), Positive),
        "DateNotEquals"             => (Date(Equal), Negated),
        "DateLessThan"              => (Date(Less), Positive),
        "DateLessThanEquals"        => (Date(LessOrEqual), Positive),
        "DateGreaterThan"           => (Date(Greater), Positive),
        "DateGreaterThanEquals"     => (Date(GreaterOrEqual), Positive),
        "Bool"                      => (Bool, Positive),
        "BinaryEquals"              => (Binary, Positive),
        "IpAddress"                 => (Ip, Positive),
        "NotIpAddress"              => (Ip, Negated),
        "ArnEquals" | "ArnLike"       => (Arn, Positive),
        "ArnNotEquals" | "ArnNotLike" => (Arn, Negated),
        "Null"                      => (Null, Positive),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_suffixes_are_taken_off() {
        let operator = Operator::parse("ForAllValues:StringNotLikeIfExists").unwrap();
        assert_eq!(
            operator,
            Operator {
                quantifier: Quantifier::All,
                family: Family::TextLike,
                sense: Sense::Negated,
                absent: Absent::Satisfied,
            }
        );
    }

    #[test]
    fn other_names_are_unknown() {
        for name in [
            "",
            "stringEquals",
            "StringEqual",
            "NullIfExists",
            "ForAnyValue:Null",
            "ForallValues:Bool",
            "StringEqualsIfExistsIfExists",
            "IfExists",
            "ForAllValues:",
            "BinaryNotEquals",
            "BoolNot",
        ] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
