//! `trent policy check`: needs no server.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use trent_service::{PolicyRemark, PolicyReport, check_policy};

use super::read;
use crate::arguments::CheckArguments;

pub(super) fn run(arguments: &CheckArguments) -> Result<ExitCode> {
    let report = check_policy(&read(&arguments.file)?, arguments.kind.into(), arguments.account);
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => text(&report),
    };
    io::stdout().write_all(text.as_bytes())?;
    let fails = !report.errors.is_empty() || arguments.deny_warnings && !report.warnings.is_empty();
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text(report: &PolicyReport) -> String {
    let mut text = String::new();
    for (kind, remarks) in [("error", &report.errors), ("warning", &report.warnings)] {
        for remark in remarks {
            // A String takes everything.
            let _ = writeln!(
                text,
                "{kind} {}{}: {}\n  {}",
                remark.code,
                place(remark),
                remark.message,
                remark.advice
            );
        }
    }
    let (errors, warnings) = (report.errors.len(), report.warnings.len());
    let _ = match (errors, warnings) {
        (0, 0) => writeln!(text, "Nothing to say against it."),
        _ => writeln!(text, "Errors: {errors}, warnings: {warnings}."),
    };
    text
}

fn place(remark: &PolicyRemark) -> String {
    if let Some((line, column)) = remark.place {
        return format!(", line {line}, column {column}");
    }
    match (remark.statement, &remark.sid) {
        (Some(index), Some(sid)) => format!(", Statement[{index}] (Sid `{sid}`)"),
        (Some(index), None) => format!(", Statement[{index}]"),
        (None, _) => String::new(),
    }
}
