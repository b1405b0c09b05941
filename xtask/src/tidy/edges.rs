//! Who may depend on whom, and which crates may depend on what from outside. Read from the manifests.
//!
//! Dependencies for tests alone are free, but for this: `keystore` and `testkit` stay where they are allowed.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::tree::Tree;
use crate::process::{cargo, output};

/// A crate of the workspace and those of it that it may depend on; `*` stands for all.
const ALLOWED: [(&str, &[&str]); 28] = [
    ("protocol", &[]),
    ("policy", &[]),
    ("sigv4", &[]),
    ("jwt", &[]),
    ("awslc", &[]),
    ("pkcs11", &[]),
    ("hsm", &["pkcs11"]),
    ("domain", &["protocol"]),
    ("crypto", &["awslc"]),
    ("xks", &["crypto"]),
    ("attestation", &["crypto"]),
    ("audit", &["domain", "protocol"]),
    ("database", &["domain", "protocol"]),
    ("xks-client", &["xks", "sigv4", "crypto", "domain", "protocol"]),
    ("xks-check", &["xks", "xks-client", "sigv4", "crypto", "domain"]),
    // A deployment of its own: its operator reaches its keys, and no caller of the service does.
    ("xks-proxy", &["xks", "sigv4", "keystore", "database", "domain", "crypto"]),
    ("keystore", &["crypto", "domain", "protocol", "xks", "xks-client", "pkcs11"]),
    ("gate", &["keystore", "policy", "database", "domain", "protocol", "crypto"]),
    // No `keystore`: operations cannot touch material.
    (
        "service",
        &["gate", "policy", "database", "audit", "attestation", "domain", "protocol", "crypto", "jwt"],
    ),
    ("seed", &["service", "crypto", "domain", "protocol"]),
    // No `database`: there is no SQL above the service.
    ("server", &["service", "xks-proxy", "sigv4", "audit", "domain", "protocol"]),
    ("console", &["service", "domain", "protocol"]),
    (
        "cli",
        &[
            "server",
            "seed",
            "xks",
            "xks-proxy",
            "xks-client",
            "xks-check",
            "hsm",
            "console",
            "service",
            "gate",
            "keystore",
            "database",
            "audit",
            "policy",
            "pkcs11",
            "sigv4",
            "crypto",
            "domain",
            "protocol",
        ],
    ),
    // Of no use outside tests, so that nobody may ship with it.
    ("softhsm", &[]),
    ("testkit", &["*"]),
    ("tests", &["*"]),
    ("benches", &["*"]),
    ("xtask", &[]),
];

/// Who may depend on these at all, tests included.
const GUARDED: [(&str, &[&str]); 2] = [
    ("keystore", &["gate", "xks-proxy", "cli", "testkit", "tests", "benches"]),
    ("testkit", &["tests", "benches", "cli", "server", "service", "gate"]),
];

/// Crates from outside that only these of ours may ship with.
const OUTSIDE: [(&str, &[&str]); 9] = [
    ("rusqlite", &["database"]),
    ("tokio-postgres", &["database"]),
    ("cryptoki", &["pkcs11"]),
    ("hyper", &["server", "xks-client", "benches"]),
    ("hyper-util", &["server", "xks-client", "benches"]),
    ("http", &["server", "xks-client", "benches"]),
    ("clap", &["cli", "benches"]),
    ("anyhow", &["cli", "xtask", "benches"]),
    ("axum", &["server", "console"]),
];

/// Crates that compute and nothing else.
const PURE: [&str; 9] =
    ["protocol", "domain", "policy", "sigv4", "xks", "jwt", "attestation", "crypto", "awslc"];
/// What waits or logs.
const IMPURE: [&str; 6] = ["tokio", "tracing", "log", "hyper", "async-trait", "futures"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for what is shipped; `dev` or `build` otherwise.
    kind: Option<String>,
}

/// Edges that are not allowed.
pub(super) fn findings(_: &Tree) -> anyhow::Result<Vec<String>> {
    let json = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_str(&json).context("cannot read cargo's metadata")?;
    Ok(of_packages(&metadata.packages))
}

fn of_packages(packages: &[Package]) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = short(&package.name);
        let Some(allowed) = allowed.get(name) else {
            findings.push(format!("{}: has no row in `xtask/src/tidy/edges.rs`", package.name));
            continue;
        };
        let edges =
            package.dependencies.iter().filter_map(|edge| Some((edge, why_not(name, allowed, edge)?)));
        findings.extend(edges.map(|(edge, why)| format!("{name} -> {}: {why}", short(&edge.name))));
    }
    findings
}

fn why_not(from: &str, allowed: &[&str], edge: &Dependency) -> Option<&'static str> {
    let to = short(&edge.name);
    let ours = edge.name.starts_with("trent-");
    let shipped = edge.kind.as_deref() != Some("dev");
    let among =
        |list: &[(&str, &[&str])]| list.iter().any(|(name, users)| *name == to && !users.contains(&from));
    if ours && among(&GUARDED) {
        return Some("only its few users may depend on it, even in tests");
    }
    if ours && shipped && !allowed.contains(&"*") && !allowed.contains(&to) {
        return Some("this edge is not allowed");
    }
    if !ours && shipped && among(&OUTSIDE) {
        return Some("this is another crate's business");
    }
    let impure = shipped && PURE.contains(&from) && IMPURE.contains(&to);
    impure.then_some("this crate neither waits nor logs")
}

fn short(name: &str) -> &str {
    name.strip_prefix("trent-").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let dependencies = vec![Dependency { name: to.into(), kind: kind.map(Into::into) }];
        of_packages(&[Package { name: from.into(), dependencies }])
    }

    #[test]
    fn edges_of_the_shape_are_allowed() {
        assert!(edge("trent-gate", "trent-keystore", None).is_empty());
        assert!(edge("trent-database", "rusqlite", None).is_empty());
        assert!(edge("trent-crypto", "tokio", Some("dev")).is_empty());
    }

    #[test]
    fn edges_past_the_gate_are_found() {
        assert_eq!(edge("trent-service", "trent-keystore", None).len(), 1);
        assert_eq!(edge("trent-service", "trent-keystore", Some("dev")).len(), 1);
        assert_eq!(edge("trent-server", "trent-database", None).len(), 1);
        assert_eq!(edge("trent-cli", "trent-testkit", None).len(), 1);
    }

    #[test]
    fn crates_from_outside_stay_where_they_belong() {
        assert_eq!(edge("trent-service", "rusqlite", None).len(), 1);
        assert_eq!(edge("trent-policy", "tokio", None).len(), 1);
    }

    #[test]
    fn an_unknown_crate_is_found() {
        assert_eq!(edge("trent-surprise", "serde", None).len(), 1);
    }
}
