//! `trent backup`: a consistent copy of the database, whether a server runs on it or not.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use trent_database::{DatabaseError, Embedded};

use crate::arguments::BackupArguments;
use crate::config::Environment;
use crate::failure::misuse;
use crate::hardening::harden;
use crate::output::say;

pub(crate) fn run(arguments: &BackupArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.load(environment)?;
    harden();
    let (dir, file) = (&config.data.dir, &arguments.file);
    if !Embedded::exists(dir) {
        let shown = dir.display();
        return Err(misuse(format!(
            "there is no database in {shown}; name the right directory with --data-dir"
        )));
    }
    write(dir, file)?;
    let file = file.display();
    say(format_args!("Wrote {file}. The root key is not in it: keep a copy of that in another place."));
    Ok(ExitCode::SUCCESS)
}

fn write(dir: &Path, file: &Path) -> Result<()> {
    match Embedded::backup(dir, file) {
        Err(error @ DatabaseError::Exists(_)) => Err(misuse(format!("{error}; name another file"))),
        done => done.with_context(|| format!("{} cannot be written", file.display())),
    }
}
