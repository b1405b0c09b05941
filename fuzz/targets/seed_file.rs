//! Seed files of `trent dev`, in both forms: reading never panics, and tells in one line what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_seed::{Defaults, Wrong, parse};
use trent_service::SeedMember;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let account = "000000000000".parse().expect("an account");
    let region = "us-east-1".parse().expect("a Region");
    match parse(text, Defaults { account, region }) {
        Ok(keys) => {
            for described in keys {
                let key = &described.key;
                assert!(key.materials.len() <= text.len() && key.aliases.len() <= text.len());
                for member in
                    [SeedMember::Id, SeedMember::Alias(0), SeedMember::Material(key.materials.len())]
                {
                    let _ = described.places.of(member);
                }
            }
        }
        Err(Wrong { problem, .. }) => assert!(!problem.is_empty() && !problem.contains('\n'), "{problem}"),
    }
});
