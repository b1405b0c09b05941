//! Whether the time of an answer to wrong input tells where it is wrong: `cargo xtask timing`.
//!
//! Fails when it does. The first comparison is one that leaks on purpose: if that is not found, nothing that follows means
//! anything, and the command fails too.

mod inside;
mod over_http;
mod statistics;

use std::path::Path;

use anyhow::{Result, ensure};
use trent_crypto::MacSpec;

use statistics::Finding;

/// What was compared, and what came of it.
type Found = (String, Finding);

/// How often each thing is measured in each of the rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Of what takes a microsecond.
    fast: usize,
    /// Of what takes a millisecond.
    slow: usize,
    /// Over HTTP.
    requests: usize,
}

impl Counts {
    pub(crate) const SHORT: Self = Self { fast: 60_000, slow: 800, requests: 4000 };
    pub(crate) const LONG: Self = Self { fast: 400_000, slow: 4000, requests: 30_000 };
}

/// Compares everything, and fails if a time depends on what is wrong.
pub(crate) fn run(trent: &Path, folder: &Path, counts: Counts) -> Result<()> {
    let planted = show(inside::planted(counts.fast)?);
    ensure!(planted, "the leak that was planted is not found: on this machine, now, this test sees nothing");
    let mut leaks = usize::from(show(inside::decryption(counts.fast)?));
    for spec in MacSpec::ALL {
        leaks += usize::from(show(inside::codes(spec, counts.fast)?));
    }
    for found in inside::paddings(counts.slow)? {
        leaks += usize::from(show(found));
    }
    for found in over_http::all(trent, folder, counts.requests)? {
        leaks += usize::from(show(found));
    }
    ensure!(leaks == 0, "{leaks} times depend on where the input is wrong");
    println!("\nno time depends on where the input is wrong");
    Ok(())
}

fn show((what, finding): Found) -> bool {
    let leak = finding.is_leak();
    println!("{:<6} {what:<96} {finding}", if leak { "LEAK" } else { "" });
    leak
}
