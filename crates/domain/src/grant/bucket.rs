//! The grants of one key for one grantee, filed so that of many only few are looked at.
//!
//! A grant with a constraint on the encryption context is filed under one pair of it, that which the fewest others are
//! filed under: a request is matched with the grants of its own pairs and with those that have none.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::{Grant, Pairs, Use};
use crate::identifier::GrantId;

/// A pair, its key folded; none for grants that do not ask for any. Two pairs may have one: what is filed under it is
/// matched with the request all the same.
type Heading = Option<u64>;

/// What a grant takes in memory, about: its parts and what the maps add.
const GRANT_BYTES: usize = 500;

/// All grants of a key for a grantee.
#[derive(Default)]
pub struct Bucket {
    filed: HashMap<Heading, Vec<Arc<Grant>>>,
    headings: HashMap<GrantId, Heading>,
    bytes: usize,
    hasher: RandomState,
}

impl Bucket {
    /// All of these.
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut bucket = Self::default();
        grants.into_iter().for_each(|grant| bucket.insert(Arc::new(grant)));
        bucket
    }

    /// Adds a grant, unless it is there: rows may have been read before their change was published.
    pub fn insert(&mut self, grant: Arc<Grant>) {
        if self.headings.contains_key(&grant.id) {
            return;
        }
        let heading = self.heading(&grant);
        self.bytes += bytes(&grant);
        self.headings.insert(grant.id, heading);
        self.filed.entry(heading).or_default().push(grant);
    }

    /// Takes a grant away, if it is there.
    pub fn remove(&mut self, id: GrantId) {
        let Some(heading) = self.headings.remove(&id) else { return };
        let Some(grants) = self.filed.get_mut(&heading) else { return };
        if let Some(position) = grants.iter().position(|grant| grant.id == id) {
            self.bytes = self.bytes.saturating_sub(bytes(&grants.swap_remove(position)));
        }
        if grants.is_empty() {
            self.filed.remove(&heading);
        }
    }

    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Some grant that allows what is wanted, one whose issuer is `preferred` if there is any.
    pub fn find(&self, wanted: &Use<'_>, preferred: impl Fn(&Grant) -> bool) -> Option<Arc<Grant>> {
        let mut found = None;
        for grant in self.candidates(wanted).filter(|grant| grant.terms.scope.allows(wanted)) {
            if preferred(grant) {
                return Some(Arc::clone(grant));
            }
            found = found.or(Some(grant));
        }
        found.cloned()
    }

    fn candidates<'b>(&'b self, wanted: &Use<'b>) -> Box<dyn Iterator<Item = &'b Arc<Grant>> + 'b> {
        if !wanted.has_context() {
            return Box::new(self.filed.values().flatten());
        }
        let headings = wanted.context.iter().map(|(key, value)| Some(self.hash(key, value)));
        Box::new(headings.chain([None]).filter_map(|heading| self.filed.get(&heading)).flatten())
    }

    fn heading(&self, grant: &Grant) -> Heading {
        let constraints = &grant.terms.scope.constraints;
        let pairs = [&constraints.equals, &constraints.subset].into_iter().flatten().flat_map(Pairs::iter);
        let headings = pairs.map(|(key, value)| Some(self.hash(key, value)));
        headings.min_by_key(|heading| self.filed.get(heading).map_or(0, Vec::len)).flatten()
    }

    fn hash(&self, key: &str, value: &str) -> u64 {
        self.hasher.hash_one((key.to_ascii_lowercase(), value))
    }
}

fn bytes(grant: &Grant) -> usize {
    let constraints = &grant.terms.scope.constraints;
    let pairs = [&constraints.equals, &constraints.subset].into_iter().flatten().flat_map(Pairs::iter);
    let pairs: usize = pairs.map(|(key, value)| key.len() + value.len() + 50).sum();
    GRANT_BYTES + pairs
}

#[cfg(test)]
mod tests {
    use crate::grant::{Constraints, GrantOperations, PrincipalId, Scope, Terms};
    use crate::identifier::{AccountId, KeyArn};
    use crate::time::Timestamp;
    use trent_protocol::GrantOperation;

    use super::*;

    const ISSUERS: [&str; 2] = ["111122223333", "444455556666"];

    fn account(issuer: usize) -> AccountId {
        ISSUERS[issuer].parse().unwrap()
    }

    fn pairs(of: &[(&str, &str)]) -> Pairs {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn grant(number: u32, issuer: usize, constraints: Constraints) -> Grant {
        let (key, region) = ("0199b2c4-7c00-7abc-8def-0123456789ab", "eu-central-1");
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let operations = GrantOperations::parse(&[GrantOperation::Decrypt]).unwrap();
        Grant {
            id: GrantId(id),
            key: KeyArn { region: region.parse().unwrap(), account: account(0), id: key.parse().unwrap() },
            created: Timestamp::from_millis(0),
            terms: Terms {
                name: None,
                grantee: PrincipalId::Account(account(1)),
                retiring: None,
                issuer: account(issuer),
                scope: Scope { operations, constraints },
            },
        }
    }

    fn equals(of: &[(&str, &str)]) -> Constraints {
        Constraints { equals: Some(pairs(of)), ..Constraints::default() }
    }

    fn find(bucket: &Bucket, context: &[(&str, &str)], preferred: usize) -> Option<Arc<Grant>> {
        let context = pairs(context);
        let operation = GrantOperation::Decrypt;
        let wanted = Use { operation, context: &context, source_arn: None, child: None };
        bucket.find(&wanted, |grant| grant.terms.issuer == account(preferred))
    }

    #[test]
    fn grants_are_found_by_the_pairs_of_a_request_whatever_their_letter_case() {
        let subset = Constraints { subset: Some(pairs(&[("b", "3")])), ..Constraints::default() };
        let grants = [grant(1, 0, equals(&[("A", "1"), ("b", "2")])), grant(2, 0, subset)];
        let bucket = Bucket::new(grants.clone());
        assert_eq!(find(&bucket, &[("a", "1"), ("B", "2")], 0).as_deref(), Some(&grants[0]));
        assert_eq!(find(&bucket, &[("x", "1"), ("B", "3")], 0).as_deref(), Some(&grants[1]));
        assert_eq!(find(&bucket, &[("a", "1")], 0), None);
        assert_eq!(find(&bucket, &[], 0), None);
    }

    #[test]
    fn those_without_pairs_are_found_too() {
        let empty = Constraints { subset: Some(Pairs::new()), ..Constraints::default() };
        for constraints in [Constraints::default(), empty] {
            let bucket = Bucket::new([grant(1, 0, equals(&[("a", "1")])), grant(2, 0, constraints)]);
            assert!(find(&bucket, &[], 0).is_some() && find(&bucket, &[("x", "y")], 0).is_some());
        }
    }

    #[test]
    fn the_issuer_that_is_preferred_comes_first() {
        let bucket = Bucket::new([grant(1, 0, Constraints::default()), grant(2, 1, Constraints::default())]);
        for preferred in [0, 1] {
            assert_eq!(find(&bucket, &[], preferred).unwrap().terms.issuer, account(preferred));
        }
        let bucket = Bucket::new([grant(1, 0, Constraints::default())]);
        assert!(find(&bucket, &[], 1).is_some());
    }

    #[test]
    fn what_is_removed_is_found_no_more() {
        let constraints = equals(&[("tenant", "7"), ("app", "x")]);
        let (mut bucket, one, two) =
            (Bucket::default(), grant(1, 0, constraints.clone()), grant(2, 0, constraints));
        bucket.insert(Arc::new(one.clone()));
        bucket.insert(Arc::new(two.clone()));
        bucket.insert(Arc::new(one.clone()));
        let context = [("tenant", "7"), ("app", "x")];
        bucket.remove(one.id);
        assert_eq!(find(&bucket, &context, 0).as_deref(), Some(&two));
        bucket.remove(one.id);
        bucket.remove(two.id);
        assert_eq!(find(&bucket, &context, 0), None);
        assert!(bucket.filed.is_empty() && bucket.headings.is_empty() && bucket.bytes() == 0);
    }

    #[test]
    fn many_that_share_a_pair_are_filed_under_what_tells_them_apart() {
        let tenants: Vec<_> = (0..1_000).map(|tenant| tenant.to_string()).collect();
        let grants = (0..)
            .zip(&tenants)
            .map(|(number, tenant)| grant(number, 0, equals(&[("app", "x"), ("tenant", tenant)])));
        let bucket = Bucket::new(grants);
        let longest = bucket.filed.values().map(Vec::len).max();
        assert!(longest.is_some_and(|longest| longest <= 2), "{longest:?}");
        assert!(tenants.iter().all(|tenant| find(&bucket, &[("tenant", tenant), ("APP", "x")], 0).is_some()));
    }
}
