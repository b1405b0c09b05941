//! `trent hsm-worker`: this binary as the process that a PKCS#11 module runs in.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::hardening;

pub(crate) fn run() -> Result<ExitCode> {
    // Plaintexts and PINs pass through here.
    hardening::harden();
    trent_hsm::serve().context("this is no process that trent has started as a worker")?;
    Ok(ExitCode::SUCCESS)
}
