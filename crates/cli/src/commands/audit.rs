//! `trent audit`: verifies, searches and exports the audit trail, while the server runs or not.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use trent_audit::{Known, Query, Report, find, from_hex, hex, verify};
use trent_database::Embedded;
use trent_service::KnownTrail;

use crate::arguments::{AuditCommand, AuditPlace, FindArguments, VerifyArguments};
use crate::config::{Config, Environment};
use crate::failure::misuse;
use crate::output::say;

/// Faults that are told; whoever has more has them all over.
const FAULTS_MAX: usize = 20;

pub(crate) fn run(command: &AuditCommand, environment: &Environment) -> Result<ExitCode> {
    match command {
        AuditCommand::Verify(arguments) => run_verify(arguments, environment),
        AuditCommand::Find(arguments) => run_find(arguments, environment),
        AuditCommand::Export(arguments) => run_export(arguments, environment),
    }
}

fn run_verify(arguments: &VerifyArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.place.load(environment)?;
    let dir = directory(&arguments.place, &config)?;
    let mut known = known(&config)?;
    if let Some(key) = &arguments.public_key {
        let key = from_hex(key.as_bytes()).ok_or_else(|| misuse("a public key has 64 hexadecimal digits"))?;
        known.public_key = Some(key);
    }
    known.begins_at = arguments.begins_at;
    let trusted = known.public_key.is_some();
    let report = verify(&dir, &known).with_context(|| format!("{} cannot be read", dir.display()))?;
    tell(&report, trusted);
    Ok(if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &Report, trusted: bool) {
    for fault in report.faults.iter().take(FAULTS_MAX) {
        match fault.line {
            0 => say(format_args!("WRONG    {}: {}", fault.file, fault.problem)),
            line => say(format_args!("WRONG    {}:{line}: {}", fault.file, fault.problem)),
        }
    }
    let more = report.faults.len().saturating_sub(FAULTS_MAX);
    if more > 0 {
        say(format_args!("WRONG    and {more} more"));
    }
    let Report { files, records, signatures, unsigned, .. } = report;
    say(format_args!("{records} records in {files} files, {signatures} of them signed"));
    if *unsigned > 0 {
        say(format_args!("{unsigned} records at the end are not signed yet"));
    }
    if let Some(key) = report.public_key.filter(|_| !trusted) {
        say(format_args!(
            "warning: no database and no --public-key tell the key, so that of the first record was believed: {}",
            hex(&key)
        ));
    }
}

/// What the database of the data directory tells of the trail.
pub(crate) fn known(config: &Config) -> Result<Known> {
    let dir = &config.data.dir;
    if !Embedded::exists(dir) {
        return Ok(Known::default());
    }
    let known = Embedded::look(dir, KnownTrail::read)
        .with_context(|| format!("the database in {} cannot be read", dir.display()))?;
    Ok(known.map_or_else(Known::default, |KnownTrail { public_key, checkpoint }| Known {
        public_key: Some(public_key),
        checkpoint,
        begins_at: 0,
    }))
}

fn directory(place: &AuditPlace, config: &Config) -> Result<PathBuf> {
    let dir = place.dir.clone().unwrap_or_else(|| config.audit.dir(&config.data.dir));
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(misuse(format!("there is no audit trail in {}; name its directory with --dir", dir.display())))
}

fn run_find(arguments: &FindArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.place.load(environment)?;
    let dir = directory(&arguments.place, &config)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut count = 0_u64;
    let found = find(&dir, &query(arguments), |line| {
        count += 1;
        output.write_all(line)
    });
    done(found.and_then(|()| output.flush()), &dir)?;
    // As `grep` has it: nothing found is no success.
    Ok(if count > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_export(arguments: &FindArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.place.load(environment)?;
    let dir = directory(&arguments.place, &config)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut before: &[u8] = b"{\"Records\":[";
    let exported = find(&dir, &query(arguments), |line| {
        output.write_all(before)?;
        before = b",";
        output.write_all(line.strip_suffix(b"\n").unwrap_or(line))
    });
    let end: &[u8] = if before == b"," { b"]}\n" } else { b"{\"Records\":[]}\n" };
    done(exported.and_then(|()| output.write_all(end)).and_then(|()| output.flush()), &dir)?;
    Ok(ExitCode::SUCCESS)
}

fn query(arguments: &FindArguments) -> Query {
    let FindArguments { request, key, principal, event, error, since, until, .. } = arguments.clone();
    Query { id: request, key, principal, event, error, since, until }
}

/// Whoever reads the output may have enough before its end.
fn done(outcome: io::Result<()>, dir: &std::path::Path) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.with_context(|| format!("the audit trail in {} cannot be read", dir.display())),
    }
}
