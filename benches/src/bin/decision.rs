//! How long one decision takes: with the policies that most keys and users have, with a hundred statements, and with fifty
//! grants on the key.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use trent_domain::grant::{
    Bucket, Constraints, Grant, GrantOperations, Pairs, PrincipalId, Scope, Terms, Use,
};
use trent_domain::identifier::{AccountId, GrantId, KeyArn};
use trent_domain::time::Timestamp;
use trent_policy::{
    Attached, Caller, CallerKind, ConditionKeys, Document, Facts, Grantee, Grants, KeyTarget, Kind, NoGrants,
    Request, Standing, Target, Values, decide, default_key_policy, managed_policy,
};
use trent_protocol::GrantOperation;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ACCOUNT: &str = "111122223333";
const ALICE: &str = "AIDAJQABLZS4A3QDU576Q";
const GRANTS: u8 = 50;
/// Decisions in one measurement, and measurements, of which the best counts: the machine may be doing something else.
const DECISIONS: u32 = 20_000;
const ROUNDS: u32 = 20;

fn main() -> Result<()> {
    let administrator = managed_policy("aws:AdministratorAccess").context("the policy of administrators")?;
    let standing = |identity: Vec<Attached>| Standing { identity, ..Standing::default() };
    let default = Document::parse(&default_key_policy("aws", ACCOUNT), Kind::Resource)?;
    let hundred = Document::parse(&statements(true).to_string(), Kind::Resource)?;
    let own = Document::parse(&statements(false).to_string(), Kind::Identity)?;
    let own = Attached { name: "own".into(), document: Arc::new(own) };
    let by_tenant = |tenant: Option<u8>| OneOf::fifty(tenant, Some);
    report("default key policy, administrator", &default, &standing(vec![administrator.clone()]), &NoGrants);
    report("50 grants, one fits", &default, &Standing::default(), &by_tenant(Some(GRANTS - 1))?);
    report("50 grants, none fits", &default, &Standing::default(), &by_tenant(None)?);
    report("50 grants without constraints", &default, &Standing::default(), &OneOf::fifty(None, |_| None)?);
    report(
        "50 grants, 100 statements in the key policy",
        &hundred,
        &Standing::default(),
        &by_tenant(Some(7))?,
    );
    report(
        "key policy of 100 statements, administrator",
        &hundred,
        &standing(vec![administrator.clone()]),
        &NoGrants,
    );
    report(
        "default key policy, identity policy of 100 statements",
        &default,
        &standing(vec![own.clone()]),
        &NoGrants,
    );
    report("100 statements each", &hundred, &standing(vec![own]), &NoGrants);
    Ok(())
}

/// A hundred statements, of which the last allows.
fn statements(with_principal: bool) -> Value {
    let statement = |number: u32| {
        let last = number == 99;
        let user = if last { "alice".to_owned() } else { format!("user-{number}") };
        let arn = format!("arn:aws:iam::111122223333:user/{user}");
        let mut statement = json!({
            "Sid": format!("statement{number}"),
            "Effect": if number % 10 == 3 { "Deny" } else { "Allow" },
            "Action": ["kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey"],
            "Resource": if with_principal || last { "*".to_owned() } else { format!("{KEY}{number}") },
            "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}, "StringNotLike": {"aws:username": "bob*"}},
        });
        if let Some(members) = statement.as_object_mut().filter(|_| with_principal) {
            members.insert("Principal".to_owned(), json!({"AWS": arn}));
        }
        statement
    };
    json!({"Version": "2012-10-17", "Statement": (0..100).map(statement).collect::<Vec<_>>()})
}

/// Grants for Alice and for her account, looked for as the gate does it once they are in memory: in both buckets.
struct OneOf {
    of_alice: Bucket,
    of_account: Bucket,
    context: Pairs,
}

impl OneOf {
    /// Each for the tenant that `constraint` gives, or for all; the request is for one of them, or for none.
    fn fifty(asked: Option<u8>, constraint: impl Fn(u8) -> Option<u8>) -> Result<Self> {
        let pairs = |tenant: u8| Pairs::from([("tenant".to_owned(), tenant.to_string())]);
        let account: AccountId = ACCOUNT.parse()?;
        let operations = GrantOperations::parse(&[GrantOperation::Encrypt, GrantOperation::Decrypt])?;
        let key = KeyArn {
            region: "us-east-1".parse()?,
            account,
            id: "1234abcd-12ab-34cd-56ef-1234567890ab".parse()?,
        };
        let grant = |number| Grant {
            id: GrantId([number; 32]),
            key,
            created: Timestamp::from_millis(0),
            terms: Terms {
                name: None,
                grantee: PrincipalId::User { account, id: ALICE.to_owned() },
                retiring: None,
                issuer: account,
                scope: Scope {
                    operations,
                    constraints: Constraints {
                        subset: constraint(number).map(pairs),
                        ..Constraints::default()
                    },
                },
            },
        };
        let context = pairs(asked.unwrap_or(u8::MAX));
        Ok(Self { of_alice: Bucket::new((0..GRANTS).map(grant)), of_account: Bucket::default(), context })
    }
}

impl Grants for OneOf {
    fn matching<'g>(&'g self, _: &Facts<'_>, found: &mut dyn FnMut(trent_policy::Grant<'g>)) {
        let wanted =
            Use { operation: GrantOperation::Encrypt, context: &self.context, source_arn: None, child: None };
        for (bucket, grantee) in [(&self.of_alice, Grantee::Exact), (&self.of_account, Grantee::Account)] {
            if bucket.find(&wanted, |grant| grant.terms.issuer.as_str() == ACCOUNT).is_some() {
                found(trent_policy::Grant { id: "", grantee, issuer: ACCOUNT });
            }
        }
    }
}

struct Keys;

impl ConditionKeys for Keys {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        match key {
            "kms:calleraccount" => Some(Values::One(ACCOUNT)),
            "aws:username" => Some(Values::One("alice")),
            _ => None,
        }
    }
}

fn report(what: &str, policy: &Document, standing: &Standing, grants: &dyn Grants) {
    let once = || {
        let target =
            KeyTarget { arn: KEY, account: ACCOUNT, policy, keys: &Keys, grants, cross_account: true };
        let request = Request {
            action: "kms:Encrypt",
            caller: Caller {
                kind: CallerKind::User,
                arn: "arn:aws:iam::111122223333:user/alice",
                account: Some(ACCOUNT),
                session_arn: None,
                service: None,
                unique_id: Some(ALICE),
            },
            standing,
            endpoint: None,
            keys: &Keys,
            target: Target::Key(target),
        };
        black_box(decide(black_box(&request)).is_allowed())
    };
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..DECISIONS {
            once();
        }
        begin.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(round).min().unwrap_or_default();
    let allowed = if once() { "allowed" } else { "denied" };
    println!("{what}: {} ns, {allowed}", best.as_nanos() / u128::from(DECISIONS));
}
