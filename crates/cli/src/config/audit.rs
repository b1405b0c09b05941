//! `[audit]`: the record of what was done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use trent_audit::Settings;

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    pub(crate) mode: AuditMode,
    dir: Option<PathBuf>,
    flush_milliseconds: Bounded<1, 60_000>,
    file_bytes: Bounded<65_536, 1_099_511_627_776>,
    file_seconds: Bounded<60, 31_536_000>,
    checkpoint_seconds: Bounded<1, 3600>,
    stdout: bool,
}

/// When an answer is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditMode {
    /// Strict, but in `trent dev` buffered.
    #[default]
    Auto,
    /// When its record is on disk.
    Strict,
    /// At once.
    Buffered,
    /// At once, and nothing is recorded.
    Off,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self {
            mode: AuditMode::Auto,
            dir: None,
            flush_milliseconds: Bounded::new(100),
            file_bytes: Bounded::new(134_217_728),
            file_seconds: Bounded::new(86_400),
            checkpoint_seconds: Bounded::new(60),
            stdout: false,
        }
    }
}

impl AuditSection {
    /// Where the files are.
    pub(crate) fn dir(&self, data_dir: &Path) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| data_dir.join("audit"))
    }

    /// How to keep the trail; nothing where none is kept.
    pub(crate) fn settings(&self, data_dir: &Path, for_tests: bool) -> Option<Settings> {
        let strict = match self.mode {
            AuditMode::Off => return None,
            AuditMode::Auto => !for_tests,
            AuditMode::Strict => true,
            AuditMode::Buffered => false,
        };
        Some(Settings {
            strict,
            flush: Duration::from_millis(self.flush_milliseconds.get()),
            file_bytes: self.file_bytes.get(),
            file_age: self.file_seconds.seconds(),
            checkpoint: self.checkpoint_seconds.seconds(),
            stdout: self.stdout,
            ..Settings::in_dir(self.dir(data_dir))
        })
    }
}

pub(super) const SECTION: Section = Section {
    name: "audit",
    comment: "The record of what was done, by whom and with which key: JSON lines in the form of CloudTrail, chained.",
    settings: &[
        Setting {
            name: "mode",
            default: D::Is("\"auto\""),
            comment: "\"strict\": no answer before its record is on disk, and none while it cannot be written.\n\
                      \"buffered\": answers do not wait, and a crash may lose the last records. \"off\": no records.\n\
                      \"auto\": strict, but in `trent dev` buffered.",
        },
        Setting {
            name: "dir",
            default: D::Unset("\"/var/log/trent\""),
            comment: "Where the files are; `audit` in the data directory if not set.",
        },
        Setting {
            name: "flush_milliseconds",
            default: D::Is("100"),
            comment: "How long records are gathered before they are written, if buffered: 1 to 60000.",
        },
        Setting {
            name: "file_bytes",
            default: D::Is("134217728"),
            comment: "A file of this size is followed by another one.",
        },
        Setting {
            name: "file_seconds",
            default: D::Is("86400"),
            comment: "A file of this age is followed by another one: 60 to 31536000.",
        },
        Setting {
            name: "checkpoint_seconds",
            default: D::Is("60"),
            comment: "Seconds between two signed checkpoints, while there are records: 1 to 3600.",
        },
        Setting {
            name: "stdout",
            default: D::Is("false"),
            comment: "Copies records to standard output too. Whoever reads too slowly misses some; the files have all.",
        },
    ],
};
