//! `trent policy`.

mod check;
pub(super) mod explain;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::PolicyWords;
use crate::config::Environment;
use crate::failure::misuse;

pub(crate) fn run(words: PolicyWords, environment: &Environment) -> Result<ExitCode> {
    match words {
        PolicyWords::Check(arguments) => check::run(&arguments),
        PolicyWords::Explain(arguments) => explain::run(&arguments, environment),
    }
}

/// A document that may be larger than any that is accepted, but not by much.
const BYTES_MAX: u64 = 1024 * 1024;

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let done = match path.as_os_str() == "-" {
        true => std::io::stdin().take(BYTES_MAX).read_to_string(&mut text),
        false => fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text)),
    };
    match done {
        Ok(_) => Ok(text),
        Err(error) => {
            let shown = path.display();
            Err(misuse(format!(
                "cannot read {shown}: {error}; name a file with a policy document in UTF-8, or -"
            )))
        }
    }
}
