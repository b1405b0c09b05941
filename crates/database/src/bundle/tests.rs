//! Bundles come back as they were, and what does not hang together is refused.

use trent_domain::identity::{Account, Status};
use trent_domain::key::Key;

use super::{Bundle, BundleError};
use crate::RingKey;
use crate::contract::grants::full_grant;
use crate::contract::{account, alias, full_key, plain_key, region};

fn bundle() -> Bundle {
    let related = full_key(2);
    let regions = ["us-west-2", "us-east-1"].map(|name| Key { region: region(name), ..related.clone() });
    let plain = plain_key(1);
    Bundle {
        accounts: vec![Account {
            id: account("111122223333"),
            name: "main".to_owned(),
            status: Status::Active,
        }],
        aliases: vec![alias("alias/a", &plain), alias("alias/b", &related)],
        grants: vec![full_grant(7, &plain, "AIDA1")],
        keys: [plain, related].into_iter().chain(regions).collect(),
        ring: vec![RingKey { name: "material-ids".to_owned(), sealed: vec![1, 2, 3] }],
    }
}

#[test]
fn what_is_written_is_read() {
    let written = bundle().to_json().unwrap();
    assert_eq!(Bundle::from_json(&written), Ok(bundle()));
}

/// Bundles that are on their way when trent is replaced must be read after it. A later version gets a file of its own.
#[test]
fn version_1_is_read_and_written_as_it_was() {
    let recorded = include_str!("../../testdata/bundle-1.json");
    assert_eq!(String::from_utf8(bundle().to_json().unwrap()).unwrap(), recorded.trim_end());
    assert_eq!(Bundle::from_json(recorded.as_bytes()), Ok(bundle()));
}

#[test]
fn what_does_not_hang_together_is_refused() {
    let refused = |bundle: Bundle| Bundle::from_json(&bundle.to_json().unwrap()).unwrap_err();
    let incomplete = |bundle| assert!(matches!(refused(bundle), BundleError::Incomplete { .. }));
    let mut without_related = bundle();
    without_related.keys.pop();
    incomplete(without_related);
    let mut twice = bundle();
    twice.keys.push(plain_key(1));
    incomplete(twice);
    let mut foreign_alias = bundle();
    foreign_alias.aliases[0].account = account("444455556666");
    incomplete(foreign_alias);
    let mut foreign_grant = bundle();
    foreign_grant.grants[0].key.account = account("444455556666");
    incomplete(foreign_grant);
}

#[test]
fn every_cut_and_another_version_are_refused() {
    let written = bundle().to_json().unwrap();
    for length in 0..written.len() {
        assert!(matches!(Bundle::from_json(&written[..length]), Err(BundleError::Malformed(_))), "{length}");
    }
    let newer = String::from_utf8(written).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(Bundle::from_json(newer.as_bytes()), Err(BundleError::Version(2)));
}
