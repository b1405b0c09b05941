//! Checks what compilers do not: the shape of the workspace and the form of its documents.
//!
//! Each rule is a function from the files to findings, a line each. There are no exceptions in the code it looks
//! at; those that are right are listed here, with the rule.

mod changelog;
mod documents;
mod edges;
mod functions;
mod licences;
mod modules;
mod operations;
mod places;
mod skipped;
mod source;
mod tree;
mod words;

use anyhow::bail;

use crate::process::root;
use tree::Tree;

/// A rule: what it finds wrong, a line each.
type Rule = fn(&Tree) -> anyhow::Result<Vec<String>>;

const RULES: [Rule; 11] = [
    edges::findings,
    licences::findings,
    modules::findings,
    places::findings,
    functions::findings,
    operations::findings,
    documents::findings,
    changelog::findings,
    skipped::findings,
    words::findings,
    tree::findings,
];

/// Fails when a rule is broken, after naming all that breaks one.
pub(crate) fn check() -> anyhow::Result<()> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        number => bail!("tidy: {number} found"),
    }
}

/// Records the lengths of long functions as they are now.
pub(crate) fn bless() -> anyhow::Result<()> {
    functions::record(&Tree::read(&root())?)
}

fn findings() -> anyhow::Result<Vec<String>> {
    let tree = Tree::read(&root())?;
    let mut findings = Vec::new();
    for rule in RULES {
        findings.extend(rule(&tree)?);
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let findings = findings().unwrap();
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }
}
