//! `trent xks check`: runs the tester, and prints what it found.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use trent_crypto::SecretBytes;
use trent_xks::ProxyConfiguration;
use trent_xks_check::{Keys, Outcome, Plan, Report, Verdict};
use trent_xks_client::{Network, Override};

use crate::arguments::XksCheckArguments;
use crate::clock::SystemClock;
use crate::failure::misuse;
use crate::proxies::system_roots;

pub(crate) fn run(arguments: &XksCheckArguments) -> Result<ExitCode> {
    let plan = plan(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let progress = !arguments.json && io::stderr().is_terminal();
    let mut tell = |outcome: &Outcome| {
        if progress {
            // People like to see that something happens; nobody need be reading.
            let _ = write!(io::stderr(), "\r\x1b[K{}: {}", outcome.group, outcome.check);
        }
    };
    let report = runtime.block_on(trent_xks_check::run(&plan, &mut tell));
    if progress {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&report)? + "\n",
        false => text(&report, arguments.verbose),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(arguments: &XksCheckArguments) -> Result<Plan> {
    let host = host(&arguments.endpoint)?;
    let overrides = arguments.connect_to.iter();
    let overrides =
        overrides.map(|target| Override { host: host.clone(), connect_to: vec![target.clone()] }).collect();
    let client = match (&arguments.client_cert, &arguments.client_key) {
        (Some(chain), Some(key)) => Some((read(chain)?, read(key)?)),
        _ => None,
    };
    let file = |path: &Option<_>| path.as_deref().map(configuration).transpose();
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Ok(Plan {
        // Whoever checks a proxy knows where it is: it may well be on this machine.
        network: Arc::new(Network { overrides, allow_private: true }),
        host,
        configuration: configuration(&arguments.configuration)?,
        region: arguments.region.clone(),
        keys: Keys {
            ordinary: arguments.key.clone(),
            encrypt_only: arguments.encrypt_only_key.clone(),
            decrypt_only: arguments.decrypt_only_key.clone(),
            neither: arguments.impotent_key.clone(),
            disabled: arguments.disabled_key.clone(),
            absent: arguments.absent_key.clone(),
            of_other_store: arguments.other_store_key.clone(),
        },
        second: file(&arguments.second_configuration)?,
        other_store: file(&arguments.other_configuration)?,
        roots: roots(arguments.ca_cert.as_deref())?,
        client,
        samples: count(arguments.samples),
        iv_samples: count(arguments.iv_samples),
        budget: Duration::from_millis(arguments.budget_ms.into()),
        patience: Duration::from_millis(arguments.patience_ms.into()),
        clock: Arc::new(SystemClock),
    })
}

/// The host of an endpoint, which is all that KMS takes.
fn host(endpoint: &str) -> Result<String> {
    let host = endpoint.strip_prefix("https://").map(|host| host.trim_end_matches('/'));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    match host.filter(|host| !host.is_empty() && host.bytes().all(plain)) {
        Some(host) => Ok(host.to_owned()),
        None => Err(misuse(
            "--endpoint is `https://` and a host name, as KMS takes it; --connect-to names another address or port",
        )),
    }
}

fn configuration(path: &Path) -> Result<ProxyConfiguration> {
    let file = SecretBytes::from(read(path)?);
    ProxyConfiguration::parse(file.expose())
        .map_err(|error| misuse(format!("{} is no proxy configuration file: {error}", path.display())))
}

fn roots(extra: Option<&Path>) -> Result<Vec<u8>> {
    let mut roots = system_roots();
    if let Some(extra) = extra {
        roots.push(b'\n');
        roots.extend(read(extra)?);
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| misuse(format!("{}: {error}", path.display())))
}

/// A report for people.
fn text(report: &Report, verbose: bool) -> String {
    let mut text = format!("https://{}{}  {}\n", report.host, report.path, report.transport);
    let mut group = "";
    for Outcome { group: of, check, verdict, .. } in &report.checks {
        let line = match verdict {
            Verdict::Passed if !verbose => continue,
            Verdict::Passed => format!("  pass  {check}\n"),
            Verdict::Skipped { why } => format!("  skip  {check}: {why}\n"),
            Verdict::Warned { found, advice, specification } => {
                format!(
                    "  warn  {check}\n        found:  {found}\n        advice: {advice} [{specification}]\n"
                )
            }
            Verdict::Failed { found, demanded, specification } => format!(
                "  FAIL  {check}\n        found:    {found}\n        demanded: {demanded} [{specification}]\n"
            ),
        };
        if group != *of {
            group = of;
            text.push_str(&format!("\n{group}\n"));
        }
        text.push_str(&line);
    }
    if let Some(latency) = report.latency {
        text.push_str(&format!(
            "\n{} encryptions: half within {:.1} ms, 95 of 100 within {:.1} ms, 99 within {:.1} ms, all within {:.1} ms; \
             KMS waits 250 ms\n",
            latency.samples, latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms
        ));
    }
    let Report { passed, failed, warned, skipped, .. } = report;
    text.push_str(&format!("{passed} passed, {failed} failed, {warned} warned, {skipped} skipped\n"));
    text
}
