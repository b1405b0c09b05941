//! Grants: permission for one principal to use one key, given and taken back without touching a policy.
//!
//! A grant only ever adds permission, and an explicit deny goes before it; how it combines with policies is the gate's.

mod bucket;
mod constraints;
mod operations;
mod principal;

use trent_protocol::GrantOperation;

use crate::identifier::{AccountId, GrantId, KeyArn};
use crate::time::Timestamp;

pub use bucket::Bucket;
pub use constraints::{Constraints, ConstraintsError, Pairs};
pub use operations::{GrantOperations, OperationsError};
pub use principal::{NotAPrincipal, PrincipalId};

/// A grant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Its id, unique on its key.
    pub id: GrantId,
    /// The key that it is for.
    pub key: KeyArn,
    /// When it was created.
    pub created: Timestamp,
    /// What was asked for.
    pub terms: Terms,
}

/// What a grant is created with. Two with the same terms, the name included, are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// A name, which need not be unique.
    pub name: Option<String>,
    /// Who may use the key.
    pub grantee: PrincipalId,
    /// Who may retire the grant.
    pub retiring: Option<PrincipalId>,
    /// The account of whoever created it, which need not be the key's.
    pub issuer: AccountId,
    /// What the grantee may do.
    pub scope: Scope,
}

/// What a grant allows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The operations.
    pub operations: GrantOperations,
    /// What must be true of their requests.
    pub constraints: Constraints,
}

/// What is to be done under a grant.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The operation.
    pub operation: GrantOperation,
    /// The encryption context of the request.
    pub context: &'a Pairs,
    /// The resource on whose behalf the request is made.
    pub source_arn: Option<&'a str>,
    /// What another grant is to allow, where one is to be created.
    pub child: Option<&'a Scope>,
}

/// How a caller may come to retire a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// The grant says so; no policy need.
    Own,
    /// The caller's account may, and passes that on to whom its policies allow it.
    Delegated,
    /// Not at all.
    No,
}

impl Use<'_> {
    /// Whether requests of this operation carry an encryption context, on keys whose grants can have a constraint on it.
    pub fn has_context(&self) -> bool {
        operations::has_context(self.operation)
    }
}

impl Scope {
    /// Whether a grant of this scope allows what is wanted to whoever it is for.
    pub fn allows(&self, wanted: &Use<'_>) -> bool {
        self.operations.contains(wanted.operation)
            && self.constraints.are_met(wanted.operation, wanted.context, wanted.source_arn)
            && wanted.child.is_none_or(|child| child.is_within(self))
    }

    /// Whether this allows nothing that `parent` does not.
    pub fn is_within(&self, parent: &Self) -> bool {
        self.operations.within(parent.operations) && self.constraints.are_within(&parent.constraints)
    }
}

impl Grant {
    /// How somebody may retire the grant who is all of `caller`: a user or session, its role, its account.
    pub fn retirement(&self, caller: &[PrincipalId]) -> Retirement {
        let Terms { grantee, retiring, issuer, scope, .. } = &self.terms;
        let grantee = Some(grantee).filter(|_| scope.operations.contains(GrantOperation::RetireGrant));
        let named: Vec<_> = [retiring.as_ref(), grantee].into_iter().flatten().collect();
        let is_account = |principal: &PrincipalId| matches!(principal, PrincipalId::Account(_));
        if named.iter().any(|principal| !is_account(principal) && caller.contains(principal)) {
            return Retirement::Own;
        }
        let accounts = [PrincipalId::Account(*issuer), PrincipalId::Account(self.key.account)];
        match accounts
            .iter()
            .chain(named)
            .any(|principal| is_account(principal) && caller.contains(principal))
        {
            true => Retirement::Delegated,
            false => Retirement::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(digit: u8) -> AccountId {
        char::from(b'0' + digit).to_string().repeat(12).parse().unwrap()
    }

    fn user(digit: u8, name: &str) -> PrincipalId {
        PrincipalId::User { account: account(digit), id: name.to_owned() }
    }

    /// A caller as it is asked about: with its account.
    fn caller(principal: PrincipalId) -> Vec<PrincipalId> {
        let account = principal.account().map(PrincipalId::Account);
        std::iter::once(principal).chain(account).collect()
    }

    /// A grant on a key of account 1, issued by account 2, for alice of account 3, retiring carol of account 4.
    fn grant(operations: &[GrantOperation]) -> Grant {
        let id = "0199b2c4-7c00-7abc-8def-0123456789ab".parse().unwrap();
        Grant {
            id: GrantId([7; 32]),
            key: KeyArn { region: "eu-central-1".parse().unwrap(), account: account(1), id },
            created: Timestamp::from_millis(0),
            terms: Terms {
                name: None,
                grantee: user(3, "alice"),
                retiring: Some(user(4, "carol")),
                issuer: account(2),
                scope: scope(operations, Constraints::default()),
            },
        }
    }

    fn scope(operations: &[GrantOperation], constraints: Constraints) -> Scope {
        Scope { operations: GrantOperations::parse(operations).unwrap(), constraints }
    }

    #[test]
    fn the_retiring_principal_and_a_grantee_who_was_given_it_retire() {
        let (with, without) = (
            grant(&[GrantOperation::Decrypt, GrantOperation::RetireGrant]),
            grant(&[GrantOperation::Decrypt]),
        );
        assert_eq!(with.retirement(&caller(user(4, "carol"))), Retirement::Own);
        assert_eq!(with.retirement(&caller(user(3, "alice"))), Retirement::Own);
        assert_eq!(without.retirement(&caller(user(3, "alice"))), Retirement::No);
        // Their accounts are not named: another user there may not.
        assert_eq!(with.retirement(&caller(user(4, "dave"))), Retirement::No);
        assert_eq!(with.retirement(&caller(PrincipalId::Account(account(3)))), Retirement::No);
    }

    #[test]
    fn the_accounts_of_the_issuer_and_of_the_key_pass_it_on() {
        let grant = grant(&[GrantOperation::Decrypt]);
        for digit in [1, 2] {
            assert_eq!(grant.retirement(&caller(user(digit, "eve"))), Retirement::Delegated);
            assert_eq!(grant.retirement(&[PrincipalId::Account(account(digit))]), Retirement::Delegated);
        }
        assert_eq!(grant.retirement(&caller(user(5, "eve"))), Retirement::No);
    }

    #[test]
    fn an_account_that_is_named_passes_it_on() {
        let mut grant = grant(&[GrantOperation::Decrypt, GrantOperation::RetireGrant]);
        grant.terms.retiring = Some(PrincipalId::Account(account(5)));
        grant.terms.grantee = PrincipalId::Account(account(6));
        for digit in [5, 6] {
            assert_eq!(grant.retirement(&caller(user(digit, "eve"))), Retirement::Delegated);
        }
    }

    #[test]
    fn a_session_of_a_role_is_the_role_and_itself() {
        let (role, id) = (account(3), "AROA".to_owned());
        let session = |name: &str| {
            let session = PrincipalId::Session { account: role, role: id.clone(), name: name.to_owned() };
            vec![session, PrincipalId::Role { account: role, id: id.clone() }, PrincipalId::Account(role)]
        };
        let mut grant = grant(&[GrantOperation::Decrypt]);
        grant.terms.retiring = Some(PrincipalId::Role { account: role, id: id.clone() });
        assert_eq!(grant.retirement(&session("s1")), Retirement::Own);
        grant.terms.retiring = session("s1").into_iter().next();
        assert_eq!(grant.retirement(&session("s1")), Retirement::Own);
        assert_eq!(grant.retirement(&session("s2")), Retirement::No);
    }

    fn operations() -> impl Strategy<Value = GrantOperations> {
        use GrantOperation as Op;
        let operation =
            proptest::sample::select(vec![Op::Decrypt, Op::Encrypt, Op::CreateGrant, Op::RetireGrant]);
        proptest::collection::vec(operation, 1..4)
            .prop_filter_map("no grant", |operations| GrantOperations::parse(&operations).ok())
    }

    fn scopes() -> impl Strategy<Value = Scope> {
        let pair = |value: &str| Some(Pairs::from([("D".to_owned(), value.to_owned())]));
        let equals = proptest::sample::select(vec![None, pair("IT"), pair("HR")]);
        let subset = proptest::sample::select(vec![None, Some(Pairs::new()), pair("IT")]);
        (operations(), equals, subset).prop_map(|(operations, equals, subset)| Scope {
            operations,
            constraints: Constraints { equals, subset, source_arn: None },
        })
    }

    proptest! {
        // Nobody gives away more than they were given, however long the chain of grants.
        #[test]
        fn a_child_allows_nothing_that_its_parent_does_not(
            parent in scopes(),
            child in scopes(),
            operation in proptest::sample::select(GrantOperation::ALL.to_vec()),
            department in proptest::sample::select(vec!["IT", "HR", "PR"]),
        ) {
            let context = Pairs::from([("d".to_owned(), department.to_owned())]);
            let creates =
                Use { operation: GrantOperation::CreateGrant, context: &context, source_arn: None, child: Some(&child) };
            let wanted = Use { operation, child: None, ..creates };
            if parent.allows(&creates) {
                prop_assert!(parent.operations.contains(GrantOperation::CreateGrant));
                prop_assert!(!child.allows(&wanted) || parent.allows(&wanted));
            }
        }
    }
}
