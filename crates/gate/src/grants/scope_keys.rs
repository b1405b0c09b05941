//! What policies may ask of the scope of a grant that is made or retired.

use trent_domain::encryption_context::EncryptionContext;
use trent_domain::grant::{Pairs, Scope};
use trent_policy::ValueList;
use trent_protocol::GrantOperation;

/// A condition key that has several values.
type List<'a> = (&'static str, &'a (dyn ValueList + Sync));

/// The condition keys of a grant's scope, for a decision to borrow.
#[derive(Debug)]
pub struct ScopeKeys {
    operations: Vec<&'static str>,
    types: Vec<&'static str>,
    context: Option<EncryptionContext>,
}

impl ScopeKeys {
    /// Those of `scope`.
    pub fn of(scope: &Scope) -> Self {
        let both = [
            ("EncryptionContextEquals", &scope.constraints.equals),
            ("EncryptionContextSubset", &scope.constraints.subset),
        ];
        let given = both.into_iter().filter_map(|(name, pairs)| Some((name, pairs.as_ref()?)));
        let types = given.clone().map(|(name, _)| name).collect();
        // Constraints are smaller than a context may be.
        let pairs: Pairs = given.flat_map(|(_, pairs)| pairs.clone()).collect();
        let context = EncryptionContext::parse(Some(pairs)).ok().filter(|context| !context.is_empty());
        Self { operations: scope.operations.iter().map(GrantOperation::as_str).collect(), types, context }
    }

    /// `kms:GrantOperations`.
    pub fn operations(&self) -> List<'_> {
        ("grantoperations", &self.operations)
    }

    /// `kms:GrantConstraintType`.
    pub fn constraint_types(&self) -> List<'_> {
        ("grantconstrainttype", &self.types)
    }

    /// The pairs of both constraints, for `kms:EncryptionContext:…`.
    pub fn context(&self) -> Option<&EncryptionContext> {
        self.context.as_ref()
    }
}
