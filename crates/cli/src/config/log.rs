//! `[log]`: what is logged, to standard error.

use serde::{Deserialize, Deserializer, de::Error};
use tracing_subscriber::EnvFilter;

use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    #[serde(deserialize_with = "level")]
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

fn level<'de, De: Deserializer<'de>>(deserializer: De) -> Result<String, De::Error> {
    let level = String::deserialize(deserializer)?;
    match EnvFilter::builder().parse(&level) {
        Ok(_) => Ok(level),
        Err(_) => {
            Err(De::Error::custom(format!("`{level}` is no level, such as info or warn,trent_server=debug")))
        }
    }
}

pub(super) const SECTION: Section = Section {
    name: "log",
    comment: "The log, on standard error.",
    settings: &[
        Setting {
            name: "level",
            default: D::Is("\"info\""),
            comment: "error, warn, info, debug or trace; or for parts, as in \"warn,trent_server=debug\".",
        },
        Setting { name: "format", default: D::Is("\"text\""), comment: "\"text\" or \"json\"." },
    ],
};
