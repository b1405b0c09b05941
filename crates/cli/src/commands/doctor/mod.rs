//! `trent doctor`: says what is wrong with an installation, and what to do. Changes nothing.

mod audit;
mod certificate;
mod data;
mod system;
mod tokens;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use super::serve;
use crate::arguments::DoctorArguments;
use crate::config::{Config, Environment, IdentityFile};
use crate::hardening::harden;
use crate::output::say;
use crate::root_key::Given;

/// What a check found.
pub(super) struct Finding {
    grade: Grade,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Fine,
    /// Not wrong, and better otherwise.
    Warning,
    Wrong,
}

impl Finding {
    fn fine(text: impl Into<String>) -> Self {
        Self { grade: Grade::Fine, text: text.into() }
    }

    fn warning(text: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, text: text.into() }
    }

    fn wrong(text: impl Into<String>) -> Self {
        Self { grade: Grade::Wrong, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Fine => "ok     ",
            Grade::Warning => "warning",
            Grade::Wrong => "WRONG  ",
        };
        write!(f, "{grade}  {}", self.text)
    }
}

pub(crate) fn run(arguments: &DoctorArguments, environment: &Environment) -> Result<ExitCode> {
    harden();
    let findings = match arguments.serve.load(environment) {
        Ok(config) => examine(arguments, &config, environment),
        Err(error) => vec![Finding::wrong(format!("configuration: {error:#}"))],
    };
    for finding in &findings {
        say(finding);
    }
    let wrong = findings.iter().any(|finding| finding.grade == Grade::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn examine(arguments: &DoctorArguments, config: &Config, environment: &Environment) -> Vec<Finding> {
    let mut findings = vec![configuration(arguments, config, environment)];
    findings.extend(certificate::check(&config.http));
    let given = arguments.serve.root_key.given(config, environment);
    let given = Given { hsm: given.hsm.sparing_tries(), ..given };
    let (running, data) = data::check(config, &given);
    findings.extend(data);
    findings.extend(tokens::check(config, given.hsm_in_use(config)));
    findings.push(audit::check(config));
    if !running {
        findings.extend(system::check_ports(config));
    }
    findings.extend(system::check(config));
    findings
}

fn configuration(arguments: &DoctorArguments, config: &Config, environment: &Environment) -> Finding {
    let checked = IdentityFile::of(&config.identity).read(environment).map(drop);
    match checked.and_then(|()| serve::check_plain_http(&config.http, config.http.listen.0.iter().copied())) {
        Ok(()) => Finding::fine(match &arguments.serve.place.config {
            Some(file) => format!("configuration: {} is valid", file.display()),
            None => "configuration: no file is given; environment and flags are valid".to_owned(),
        }),
        Err(error) => Finding::wrong(format!("configuration: {error:#}")),
    }
}
