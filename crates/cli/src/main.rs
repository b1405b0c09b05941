//! The binary `trent`: commands, configuration, wiring.
//!
//! Here alone are the command line, the environment, configuration files and signals read, and the parts of the
//! service put together. What they do is in the crates below.

mod admin_socket;
mod arguments;
mod certificate;
mod clock;
mod clusters;
mod commands;
mod config;
mod data_dir;
mod deliveries;
mod dev;
mod failure;
mod first_start;
mod hardening;
mod hsm_metrics;
mod instance;
mod jobs;
mod logging;
mod metrics;
mod output;
mod proxies;
mod root_key;
mod secret_source;
mod stopped;
mod token;
mod version;
mod wiring;
mod xks;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, XksCommand};
use config::Environment;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hardening::spare_memory();
    let arguments = Arguments::parse();
    let environment = Environment::of_process();
    let done = match arguments.command {
        Command::Serve(arguments) => commands::serve::run(arguments, environment),
        Command::Dev(arguments) => commands::dev::run(arguments, environment),
        Command::Rekey(arguments) => commands::rekey::run(&arguments, &environment),
        Command::Backup(arguments) => commands::backup::run(&arguments, &environment),
        Command::Restore(arguments) => commands::restore::run(&arguments),
        Command::Export(arguments) => commands::export::run(&arguments, &environment),
        Command::Import(arguments) => commands::import::run(&arguments, &environment),
        Command::Doctor(arguments) => commands::doctor::run(&arguments, &environment),
        Command::XksProxy(arguments) => commands::xks_proxy::run(arguments, environment),
        Command::Xks(XksCommand::Check(arguments)) => commands::xks_check::run(&arguments),
        Command::Config(command) => commands::config::run(&command),
        Command::Audit(command) => commands::audit::run(&command, &environment),
        Command::Policy(words) => commands::policy::run(words, &environment),
        Command::Admin(arguments) => commands::admin::run(arguments, &environment),
        Command::HsmWorker => commands::hsm_worker::run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
