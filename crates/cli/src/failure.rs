//! How commands fail: one line on standard error, exit code 1 or 2.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Wrong usage or configuration: exit code 2. Everything else that fails ends with 1.
#[derive(Debug)]
struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// An error of usage or configuration; says what is wrong and what to do.
pub(crate) fn misuse(text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Misuse(text.into()))
}

/// Says why a command failed and gives its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // Causes may have lines of their own; the contract is one.
    let text = format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join("; ");
    // The exit code is told also where nobody reads this.
    let _ = writeln!(io::stderr(), "trent: {text}");
    ExitCode::from(if error.is::<Misuse>() { 2 } else { 1 })
}
