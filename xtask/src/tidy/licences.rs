//! What may be built in: the lists of `deny.toml`, kept by this too, so that they hold without cargo-deny.
//!
//! Licences and refused crates alone; advisories, and what else cargo-deny knows, are left to it.

use std::collections::BTreeSet;

use anyhow::Context;
use serde::Deserialize;

use super::tree::Tree;
use crate::process::{cargo, output};

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// A crate from outside.
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// Crates from outside with a licence that is not allowed, or that are refused by name.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let deny: Deny = toml::from_str(tree.text("deny.toml").context("there is no deny.toml")?)?;
    // Not `cargo metadata`: that names what the lock file has, which includes what no feature turns on.
    let mut list = cargo(&["tree", "--locked", "--workspace", "--all-features", "--prefix", "none"]);
    let list = output(list.args(["--format", "{p}\t{l}"]))?;
    let packages: BTreeSet<&str> = list.lines().collect();
    Ok(packages.into_iter().filter_map(package).filter_map(|package| finding(&package, &deny)).collect())
}

/// A line such as `name v1.0.0<tab>MIT`; those of the workspace go on with their path.
fn package(line: &str) -> Option<Package> {
    let (package, licence) = line.trim_end_matches(" (*)").split_once('\t')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
    let own = words.any(|word| word.starts_with("(/"));
    let text = |text: &str| text.to_owned();
    (!own).then(|| Package { name: text(name), version: text(version), licence: text(licence) })
}

fn finding(package: &Package, deny: &Deny) -> Option<String> {
    let Package { name, version, licence } = package;
    if let Some(banned) = deny.bans.deny.iter().find(|banned| banned.name == *name) {
        return Some(format!("{name} {version}: refused: {}", banned.reason));
    }
    (!is_allowed(licence, &deny.licenses.allow))
        .then(|| format!("{name} {version}: licence `{licence}` is not among those of deny.toml"))
}

/// Whether an SPDX expression can be met with these licences alone.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // Older manifests write a slash for OR.
    let expression = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = expression.split_whitespace().peekable();
    let answer = any_of(&mut words, allowed);
    answer.unwrap_or(false) && words.peek().is_none()
}

type Words<'t> = std::iter::Peekable<std::str::SplitWhitespace<'t>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut answer = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        answer |= all_of(words, allowed)?;
    }
    Some(answer)
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut answer = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        answer &= one(words, allowed)?;
    }
    Some(answer)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let word = words.next()?;
    if word == "(" {
        let answer = any_of(words, allowed)?;
        return (words.next()? == ")").then_some(answer);
    }
    // An exception only ever gives more rights than the licence it is of.
    if words.next_if_eq(&"WITH").is_some() {
        words.next()?;
    }
    Some(allowed.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_has_them() {
        let allowed = BTreeSet::from(["MIT".to_owned(), "ISC".to_owned()]);
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND ISC",
            "MIT WITH LLVM-exception OR X",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT)", "MIT MIT", "GPL-3.0 OR MIT AND X", "OR"]
        {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn a_refused_crate_is_told_with_the_reason() {
        let deny: Deny = toml::from_str(
            "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [{ crate = \"ring\", reason = \"a second library\" }]",
        )
        .unwrap();
        let package = |name: &str, licence: &str| package(&format!("{name} v1.0.0\t{licence} (*)")).unwrap();
        assert_eq!(finding(&package("ring", "MIT"), &deny).unwrap(), "ring 1.0.0: refused: a second library");
        assert!(finding(&package("other", "GPL-3.0"), &deny).unwrap().contains("GPL-3.0"));
        assert_eq!(finding(&package("other", "MIT"), &deny), None);
        assert!(super::package("ours v0.1.0 (/somewhere/ours)\tApache-2.0").is_none());
        assert!(super::package("macros v0.1.0 (proc-macro)\tGPL-3.0").is_some());
    }
}
