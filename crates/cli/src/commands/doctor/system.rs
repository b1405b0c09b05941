//! What the system gives: limits, memory, clock, ports.

use std::fs;
use std::net::TcpListener;

use rustix::process::{Resource, getrlimit};
use trent_domain::time::Clock;

use super::Finding;
use crate::clock::SystemClock;
use crate::config::Config;

/// When this version was written: a clock that says less is not set.
const WRITTEN_SECONDS: i64 = 1_767_225_600;
/// Enough for the locked pages of a key ring with some thousand domain keys.
const MEMLOCK_BYTES: u64 = 1 << 20;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    vec![swap(), memlock(), core_dumps(), descriptors(config), clock()]
}

fn swap() -> Finding {
    // The first line is a heading.
    match fs::read_to_string("/proc/swaps").map(|swaps| swaps.lines().count()) {
        Ok(0 | 1) => Finding::fine("swap: there is none"),
        Ok(_) => Finding::warning(
            "swap: it is on, and keys in use may be written to it; turn it off (swapoff -a), encrypt it, or keep \
             this service out of it (MemorySwapMax=0 in its systemd unit)",
        ),
        Err(_) => Finding::warning("swap: this system does not tell; make sure that it is off or encrypted"),
    }
}

fn memlock() -> Finding {
    match getrlimit(Resource::Memlock).current {
        Some(limit) if limit < MEMLOCK_BYTES => Finding::warning(format!(
            "locked memory: only {limit} bytes are allowed, so that keys may be swapped; raise the limit \
             (LimitMEMLOCK=64M in the systemd unit, ulimit -l elsewhere)"
        )),
        Some(limit) => Finding::fine(format!("locked memory: {limit} bytes are allowed")),
        None => Finding::fine("locked memory: as much as is asked for"),
    }
}

fn core_dumps() -> Finding {
    // This process has asked for none, just as the server does.
    match getrlimit(Resource::Core).current {
        Some(0) => Finding::fine("core dumps: they can be turned off, and the server does so"),
        _ => Finding::wrong(
            "core dumps: they cannot be turned off, and would hold keys; set LimitCORE=0 in the unit",
        ),
    }
}

fn descriptors(config: &Config) -> Finding {
    let wanted = u64::try_from(config.http.limits().connections_max).unwrap_or(u64::MAX).saturating_add(64);
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < wanted => Finding::warning(format!(
            "open files: {limit} are allowed, fewer than http.connections_max; raise the limit (LimitNOFILE={wanted} \
             in the systemd unit) or lower the setting"
        )),
        _ => Finding::fine("open files: enough for http.connections_max"),
    }
}

fn clock() -> Finding {
    let now = SystemClock.now().seconds();
    if now < WRITTEN_SECONDS {
        return Finding::wrong(
            "clock: it says a time before this version was written, so signatures of clients will not fit; set it (NTP)",
        );
    }
    Finding::fine("clock: plausible; clients must agree with it to within auth.clock_skew_seconds")
}

/// Whether the listeners could be bound. Only while no server runs.
pub(super) fn check_ports(config: &Config) -> Vec<Finding> {
    let ops = config.ops.enabled.then_some(config.ops.listen);
    let addresses = config.http.listen.0.iter().copied().chain(ops);
    addresses
        .map(|address| match TcpListener::bind(address) {
            Ok(_) => Finding::fine(format!("address {address}: free")),
            Err(error) => Finding::wrong(format!(
                "address {address}: {error}; stop what uses it, or set another (http.listen, ops.listen)"
            )),
        })
        .collect()
}
