//! The audit trail: whether it is whole.

use trent_audit::{Known, verify};

use super::Finding;
use crate::commands::audit::known;
use crate::config::{AuditMode, Config};

/// One finding: a trail is as good as its worst record.
pub(super) fn check(config: &Config) -> Finding {
    let dir = config.audit.dir(&config.data.dir);
    let shown = dir.display();
    if config.audit.mode == AuditMode::Off {
        return Finding::warning("audit trail: off; nothing that is done is recorded (audit.mode)");
    }
    if !dir.is_dir() {
        return Finding::fine(format!("audit trail: {shown} is not there; the first start makes it"));
    }
    let known = match known(config) {
        Ok(known) => known,
        Err(error) => return Finding::warning(format!("audit trail: not looked at: {error:#}")),
    };
    // Files that were archived away are nothing wrong.
    let begins_at =
        trent_audit::list(&dir).ok().and_then(|files| Some(files.first()?.first)).unwrap_or_default();
    match verify(&dir, &Known { begins_at, ..known }) {
        Err(error) => Finding::wrong(format!("audit trail: {shown}: {error}")),
        Ok(report) => match report.faults.first() {
            None => Finding::fine(format!(
                "audit trail: {} records in {shown}, as they were written",
                report.records
            )),
            Some(fault) => Finding::wrong(format!(
                "audit trail: {}: {}; `trent audit verify` tells all",
                fault.file, fault.problem
            )),
        },
    }
}
