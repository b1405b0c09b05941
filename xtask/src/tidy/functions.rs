//! Points at functions that have just grown long.
//!
//! Long on purpose (a table, one flat match) is fine: `cargo xtask tidy --bless` records it, and the reviewer sees
//! the record change.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use anyhow::Context;

use super::source::{Source, braces_end, is_word, line_of, word_offsets};
use super::tree::Tree;
use crate::process::root;

const LINES_MAX: usize = 70;
const RECORD: &str = "xtask/src/tidy/long_functions.txt";

/// Functions that are longer than they may be, and records that are no longer true.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let (long, recorded) = (long_functions(tree), recorded(tree));
    let grown = long.iter().filter(|&(name, lines)| recorded.get(name).is_none_or(|known| known < lines));
    let shrunk = recorded.iter().filter(|&(name, lines)| long.get(name).is_none_or(|now| now < lines));
    let mut findings: Vec<String> = grown
        .map(|(name, lines)| {
            format!("{name}: {lines} lines; split it, or `cargo xtask tidy --bless` if it is long on purpose")
        })
        .collect();
    findings.extend(
        shrunk.map(|(name, _)| format!("{name}: shorter than {RECORD} says; `cargo xtask tidy --bless`")),
    );
    Ok(findings)
}

/// Writes down the functions that are long now.
pub(super) fn record(tree: &Tree) -> anyhow::Result<()> {
    let mut text = String::new();
    for (name, lines) in long_functions(tree) {
        writeln!(text, "{name} {lines}")?;
    }
    fs::write(root().join(RECORD), text).with_context(|| format!("cannot write `{RECORD}`"))
}

fn recorded(tree: &Tree) -> BTreeMap<String, usize> {
    let lines = tree.text(RECORD).unwrap_or_default().lines();
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, n)| Some((name.into(), n.parse().ok()?)))
        .collect()
}

/// The lines of functions above the limit, by `path name`. Of two with one name the longer counts.
fn long_functions(tree: &Tree) -> BTreeMap<String, usize> {
    let mut long = BTreeMap::new();
    for (path, source) in tree.sources().filter(|(path, _)| !path.contains("/generated/")) {
        for (name, lines) in functions(source).into_iter().filter(|(_, lines)| *lines > LINES_MAX) {
            let known = long.entry(format!("{path} {name}")).or_insert(lines);
            *known = lines.max(*known);
        }
    }
    long
}

fn functions(source: &Source) -> Vec<(String, usize)> {
    let code = &source.code;
    let found = word_offsets(code, "fn").into_iter().filter_map(|at| {
        let rest = code.get(at + 2..)?.trim_start();
        let name: String = rest.chars().take_while(|&c| c.is_ascii() && is_word(c as u8)).collect();
        let end = braces_end(code, body(code, at)?)?;
        (!name.is_empty()).then(|| (name, line_of(code, end) - line_of(code, at) + 1))
    });
    found.collect()
}

/// Where the body of the function at `at` opens; nowhere if it has none.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(offset),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn a(b: [u8; 4]) {{{}}}", "\n".repeat(lines - 1))
    }

    #[test]
    fn only_long_functions_are_found() {
        let short = Tree::of(&[("a.rs", &function(70)), ("b.rs", "trait A { fn b(&self); }")]);
        assert!(findings(&short).unwrap().is_empty());
        assert_eq!(findings(&Tree::of(&[("a.rs", &function(71))])).unwrap().len(), 1);
    }

    #[test]
    fn recorded_functions_may_not_grow() {
        let with = |lines| Tree::of(&[("a.rs", &function(lines)), (RECORD, "a.rs a 80\n")]);
        assert!(findings(&with(80)).unwrap().is_empty());
        assert_eq!(findings(&with(81)).unwrap().len(), 1);
        assert_eq!(findings(&with(79)).unwrap().len(), 1);
    }
}
