//! The log: to standard error, as text or JSON, its level changeable while running.

use std::io::{self, IsTerminal};
use std::panic;

use anyhow::{Context, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{LogFormat, LogSection};

/// Changes the level of the log.
#[derive(Clone)]
pub(crate) struct LogLevel(Handle<EnvFilter, Registry>);

impl LogLevel {
    pub(crate) fn set(&self, level: &str) -> Result<()> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

/// Starts the log. Called once in a process.
pub(crate) fn start(section: &LogSection) -> Result<LogLevel> {
    let (filter, handle) = reload::Layer::new(filter(&section.level)?);
    let lines = match section.format {
        LogFormat::Text => fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()
        .context("the log cannot be started")?;
    log_panics();
    Ok(LogLevel(handle))
}

fn filter(level: &str) -> Result<EnvFilter> {
    EnvFilter::builder().parse(level).with_context(|| format!("`{level}` is no log level"))
}

fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = info.payload_as_str().unwrap_or("no text");
        tracing::error!(%place, panic = text, "a thread panicked");
    }));
}
