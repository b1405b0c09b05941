//! `trent config`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::ConfigCommand;
use crate::config::default_file;

pub(crate) fn run(command: &ConfigCommand) -> Result<ExitCode> {
    match command {
        ConfigCommand::Default => io::stdout().write_all(default_file().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
