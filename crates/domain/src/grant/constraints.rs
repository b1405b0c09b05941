//! Constraints: what must be true of a request that a grant is to allow.
//!
//! Unlike everywhere else, the keys of an encryption context are compared without regard to ASCII letter case here;
//! the values are compared exactly.

use std::collections::BTreeMap;

use trent_protocol::{GrantOperation, KeySpec};

use super::operations::has_context;
use crate::limits::{GRANT_CONSTRAINT_PAIRS_MAX, GRANT_CONSTRAINT_VALUE_CHARACTERS_MAX};

/// Pairs of an encryption context, by key.
pub type Pairs = BTreeMap<String, String>;

/// The constraints of a grant. Both on the context, where both are given, must be met.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Constraints {
    /// The context has these pairs and no others.
    pub equals: Option<Pairs>,
    /// The context has these pairs and perhaps others.
    pub subset: Option<Pairs>,
    /// The resource on whose behalf the request is made.
    pub source_arn: Option<String>,
}

/// Why constraints are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintsError {
    /// More pairs than a constraint may have.
    #[error("{0} must not have more than {GRANT_CONSTRAINT_PAIRS_MAX} encryption context pairs.")]
    TooManyPairs(&'static str),
    /// A value that is too long.
    #[error("Values in {0} must not have more than {GRANT_CONSTRAINT_VALUE_CHARACTERS_MAX} characters.")]
    LongValue(&'static str),
    /// Two keys that differ by letter case alone.
    #[error("Keys in {0} must differ by more than letter case.")]
    SameKeys(&'static str),
    /// The key makes ciphertexts without a context.
    #[error("Encryption context constraints are only supported by symmetric encryption keys.")]
    NoContext,
}

impl Constraints {
    /// The constraints of a request.
    pub fn parse(
        equals: Option<Pairs>,
        subset: Option<Pairs>,
        source_arn: Option<String>,
    ) -> Result<Self, ConstraintsError> {
        for (name, pairs) in [("EncryptionContextEquals", &equals), ("EncryptionContextSubset", &subset)] {
            pairs.as_ref().map_or(Ok(()), |pairs| check(name, pairs))?;
        }
        Ok(Self { equals, subset, source_arn })
    }

    /// Whether a key of this spec can have a grant with them.
    pub fn check(&self, spec: KeySpec) -> Result<(), ConstraintsError> {
        let on_context = self.equals.is_some() || self.subset.is_some();
        if on_context && spec != KeySpec::SymmetricDefault {
            Err(ConstraintsError::NoContext)
        } else {
            Ok(())
        }
    }

    /// Whether a request of `operation` meets them.
    pub fn are_met(&self, operation: GrantOperation, context: &Pairs, source_arn: Option<&str>) -> bool {
        self.admits_source(operation, source_arn) && (!has_context(operation) || self.admits(context))
    }

    fn admits_source(&self, operation: GrantOperation, source_arn: Option<&str>) -> bool {
        let Some(required) = self.source_arn.as_deref() else { return true };
        match (operation, source_arn) {
            (GrantOperation::RetireGrant, _) | (GrantOperation::DescribeKey, None) => true,
            (_, source) => source == Some(required),
        }
    }

    fn admits(&self, context: &Pairs) -> bool {
        self.equals.as_ref().is_none_or(|pairs| same(pairs, context))
            && self.subset.as_ref().is_none_or(|pairs| includes(context, pairs))
    }

    /// Whether everything that these admit is admitted by `parent` too, as a grant that was made by permission of
    /// another must be.
    pub fn are_within(&self, parent: &Self) -> bool {
        let equals = parent
            .equals
            .as_ref()
            .is_none_or(|required| self.equals.as_ref().is_some_and(|pairs| same(required, pairs)));
        let subset = parent.subset.as_ref().is_none_or(|required| {
            [&self.equals, &self.subset].into_iter().flatten().any(|pairs| includes(pairs, required))
        });
        let source = parent.source_arn.is_none() || parent.source_arn == self.source_arn;
        equals && subset && source
    }
}

fn check(name: &'static str, pairs: &Pairs) -> Result<(), ConstraintsError> {
    if pairs.len() > GRANT_CONSTRAINT_PAIRS_MAX {
        return Err(ConstraintsError::TooManyPairs(name));
    }
    if pairs.values().any(|value| value.chars().count() > GRANT_CONSTRAINT_VALUE_CHARACTERS_MAX) {
        return Err(ConstraintsError::LongValue(name));
    }
    let twice = |key: &&String| pairs.keys().filter(|other| other.eq_ignore_ascii_case(key)).count() > 1;
    if pairs.keys().any(|key| twice(&key)) {
        return Err(ConstraintsError::SameKeys(name));
    }
    Ok(())
}

/// Whether `context` has all of `pairs`.
fn includes(context: &Pairs, pairs: &Pairs) -> bool {
    pairs.iter().all(|(key, value)| {
        context.iter().any(|(other, found)| found == value && other.eq_ignore_ascii_case(key))
    })
}

/// Whether `context` has all of `pairs` and nothing else: the keys of `pairs` are different folded, so that as many pairs
/// of the context as there are have been found.
fn same(pairs: &Pairs, context: &Pairs) -> bool {
    pairs.len() == context.len() && includes(context, pairs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(of: &[(&str, &str)]) -> Pairs {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn equals(of: &[(&str, &str)]) -> Constraints {
        Constraints { equals: Some(pairs(of)), ..Constraints::default() }
    }

    fn subset(of: &[(&str, &str)]) -> Constraints {
        Constraints { subset: Some(pairs(of)), ..Constraints::default() }
    }

    fn met(constraints: &Constraints, context: &[(&str, &str)]) -> bool {
        constraints.are_met(GrantOperation::Decrypt, &pairs(context), None)
    }

    #[test]
    fn equals_wants_the_pairs_and_no_others() {
        let constraints = equals(&[("Dept", "IT"), ("P", "T")]);
        assert!(met(&constraints, &[("P", "T"), ("Dept", "IT")]));
        assert!(met(&constraints, &[("p", "T"), ("DEPT", "IT")]));
        for other in
            [&[("Dept", "IT")][..], &[("Dept", "it"), ("P", "T")], &[("P", "T"), ("Dept", "IT"), ("X", "")]]
        {
            assert!(!met(&constraints, other), "{other:?}");
        }
        // As many pairs, but one of them twice.
        assert!(!met(&constraints, &[("Dept", "IT"), ("dept", "IT")]));
        assert!(met(&equals(&[]), &[]) && !met(&equals(&[]), &[("a", "b")]));
    }

    #[test]
    fn subset_wants_the_pairs_among_any_others() {
        let constraints = subset(&[("Dept", "IT")]);
        assert!(met(&constraints, &[("Dept", "IT"), ("P", "T")]));
        assert!(met(&constraints, &[("dept", "HR"), ("dEPT", "IT")]));
        assert!(!met(&constraints, &[("Dept", "HR")]) && !met(&constraints, &[]));
    }

    #[test]
    fn of_two_constraints_both_must_be_met() {
        let both = Constraints { subset: Some(pairs(&[("a", "1")])), ..equals(&[("b", "2")]) };
        assert!(!met(&both, &[("b", "2")]) && !met(&both, &[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn the_context_is_not_asked_about_where_there_is_none() {
        let constraints = equals(&[("Dept", "IT")]);
        for operation in GrantOperation::ALL {
            use GrantOperation as Op;
            let ignored = matches!(
                operation,
                Op::DescribeKey
                    | Op::GetPublicKey
                    | Op::RetireGrant
                    | Op::CreateGrant
                    | Op::Sign
                    | Op::Verify
                    | Op::GenerateMac
                    | Op::VerifyMac
                    | Op::DeriveSharedSecret
                    | Op::Encapsulate
                    | Op::Decapsulate
            );
            assert_eq!(constraints.are_met(operation, &Pairs::new(), None), ignored, "{operation}");
        }
    }

    #[test]
    fn the_source_is_asked_about_but_for_describing_without_one_and_retiring() {
        let constraints = Constraints { source_arn: Some("arn:a".to_owned()), ..Constraints::default() };
        for operation in GrantOperation::ALL {
            let met = |source| constraints.are_met(operation, &Pairs::new(), source);
            let retires = operation == GrantOperation::RetireGrant;
            assert!(met(Some("arn:a")), "{operation}");
            assert_eq!(met(Some("arn:b")), retires, "{operation}");
            assert_eq!(met(None), retires || operation == GrantOperation::DescribeKey, "{operation}");
        }
    }

    #[test]
    fn what_cannot_be_a_constraint_is_refused() {
        let parse = |pairs| Constraints::parse(None, Some(pairs), None).unwrap_err().to_string();
        let nine: Pairs = (0..9).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(
            parse(nine),
            "EncryptionContextSubset must not have more than 8 encryption context pairs."
        );
        assert_eq!(
            parse(pairs(&[("a", &"ä".repeat(385))])),
            "Values in EncryptionContextSubset must not have more than 384 characters."
        );
        assert_eq!(
            parse(pairs(&[("a", "1"), ("A", "1")])),
            "Keys in EncryptionContextSubset must differ by more than letter case."
        );
        assert!(Constraints::parse(Some(pairs(&[("a", &"ä".repeat(384))])), None, None).is_ok());
    }

    #[test]
    fn a_child_is_at_least_as_strict() {
        let (narrow, wide) = (&[("D", "IT"), ("X", "1")][..], &[("d", "IT")][..]);
        assert!(subset(narrow).are_within(&subset(wide)));
        assert!(equals(narrow).are_within(&subset(wide)));
        assert!(equals(wide).are_within(&equals(wide)));
        assert!(!subset(wide).are_within(&subset(narrow)));
        assert!(!subset(wide).are_within(&equals(wide)));
        assert!(!equals(narrow).are_within(&equals(wide)));
        assert!(!Constraints::default().are_within(&subset(wide)));
        assert!(subset(wide).are_within(&Constraints::default()));
        let from = |arn: &str| Constraints { source_arn: Some(arn.to_owned()), ..Constraints::default() };
        assert!(from("arn:a").are_within(&from("arn:a")));
        assert!(
            !from("arn:b").are_within(&from("arn:a")) && !Constraints::default().are_within(&from("arn:a"))
        );
    }

    fn context() -> impl Strategy<Value = Pairs> {
        let key = proptest::sample::select(vec!["a", "A", "b", "B", "c"]);
        let value = proptest::sample::select(vec!["1", "2"]);
        proptest::collection::btree_map(key.prop_map(str::to_owned), value.prop_map(str::to_owned), 0..4)
    }

    fn constraints() -> impl Strategy<Value = Constraints> {
        let source =
            proptest::option::of(proptest::sample::select(vec!["arn:a".to_owned(), "arn:b".to_owned()]));
        (proptest::option::of(context()), proptest::option::of(context()), source)
            .prop_filter_map("keys that are the same", |(equals, subset, source)| {
                Constraints::parse(equals, subset, source).ok()
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        // The reason for the rule about children.
        #[test]
        fn what_a_child_admits_its_parent_admits(
            parent in constraints(),
            child in constraints(),
            context in context(),
            source in proptest::sample::select(vec![None, Some("arn:a"), Some("arn:b")]),
            operation in proptest::sample::select(GrantOperation::ALL.to_vec()),
        ) {
            if child.are_within(&parent) && child.are_met(operation, &context, source) {
                prop_assert!(parent.are_met(operation, &context, source));
            }
        }

        #[test]
        fn a_grandchild_is_within_the_grandparent(
            grandparent in constraints(), parent in constraints(), child in constraints()
        ) {
            if child.are_within(&parent) && parent.are_within(&grandparent) {
                prop_assert!(child.are_within(&grandparent));
            }
        }

        #[test]
        fn every_constraint_is_within_itself(constraints in constraints()) {
            prop_assert!(constraints.are_within(&constraints));
        }

        #[test]
        fn the_letter_case_of_keys_never_matters(constraints in constraints(), context in context()) {
            let folded: Pairs = context.iter().map(|(key, value)| (key.to_ascii_uppercase(), value.clone())).collect();
            prop_assume!(folded.len() == context.len());
            let operation = GrantOperation::Decrypt;
            prop_assert_eq!(
                constraints.are_met(operation, &context, None),
                constraints.are_met(operation, &folded, None)
            );
        }
    }
}
