//! `trent restore`: a data directory from a backup. The root key is not in it, and has to be put beside it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use trent_database::Embedded;

use crate::arguments::RestoreArguments;
use crate::data_dir::DataDir;
use crate::failure::misuse;
use crate::hardening::harden;
use crate::output::say;

pub(crate) fn run(arguments: &RestoreArguments) -> Result<ExitCode> {
    harden();
    let (file, dir) = (&arguments.file, &arguments.data_dir);
    if !file.is_file() {
        return Err(misuse(format!("there is no backup {}", file.display())));
    }
    check_empty(dir)?;
    let data_dir = DataDir::open(dir)?;
    Embedded::restore(file, data_dir.path())
        .with_context(|| format!("{} cannot be restored to {}", file.display(), dir.display()))?;
    say(format_args!("Restored to {}. The root key is not in a backup:", data_dir.path().display()));
    say(
        "put root.key (or root.passphrase) of that time there before `trent serve`, then run `trent doctor`.",
    );
    Ok(ExitCode::SUCCESS)
}

fn check_empty(dir: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(dir) else { return Ok(()) };
    if entries.next().is_some() {
        let shown = dir.display();
        return Err(misuse(format!(
            "{shown} is not empty, and nothing is written over; name a new directory"
        )));
    }
    Ok(())
}
