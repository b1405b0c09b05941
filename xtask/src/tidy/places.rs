//! Words that belong to one place: SQL to the database, HTTP statuses to the server, and so on.

use super::source::{Source, line_of, word_offsets};
use super::tree::Tree;

/// A word of code that only some folders may say.
struct Place {
    word: &'static str,
    only_in: &'static [&'static str],
    reason: &'static str,
}

const PLACES: [Place; 5] = [
    Place { word: "StatusCode", only_in: &["crates/server/"], reason: "only the server names HTTP statuses" },
    Place { word: "env::var", only_in: READERS, reason: READERS_REASON },
    Place { word: "env::var_os", only_in: READERS, reason: READERS_REASON },
    Place { word: "env::args", only_in: READERS, reason: READERS_REASON },
    Place { word: "env::args_os", only_in: READERS, reason: READERS_REASON },
];
const READERS: &[&str] = &["crates/cli/", "xtask/"];
const READERS_REASON: &str = "only the command line reads the environment and arguments";

/// Words that these folders never say.
const BANNED: [(&str, &str, &str); 3] = [
    ("crates/domain/", "async", "rules do not wait"),
    ("crates/policy/", "Instant", "policies read no clock"),
    ("crates/crypto/", "Instant", "algorithms read no clock"),
];

/// How SQL begins; all words of a row in one literal.
const SQL: [[&str; 2]; 7] = [
    ["SELECT ", " FROM "],
    ["INSERT ", "INTO "],
    ["UPDATE ", " SET "],
    ["DELETE ", "FROM "],
    ["CREATE ", "TABLE "],
    ["CREATE ", "INDEX "],
    ["PRAGMA ", ""],
];

/// Only these are held to it: tests, benchmarks and tasks may look behind the scenes.
const SHIPPED: &str = "crates/";
const NOT_SHIPPED: [&str; 2] = ["crates/testkit/", "crates/softhsm/"];

/// Words in places that are not theirs.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources().filter(|(path, _)| is_shipped(path)) {
        findings.extend(misplaced(path, source));
        findings.extend(banned(path, source));
        if !path.starts_with("crates/database/") {
            let sql = source.literals.iter().filter(|literal| is_sql(&literal.text));
            findings
                .extend(sql.map(|literal| format!("{path}:{}: only the database names SQL", literal.line)));
        }
    }
    Ok(findings)
}

fn is_shipped(path: &str) -> bool {
    let in_tests = path.contains("/tests/") || path.ends_with("/tests.rs");
    let for_tests = in_tests || NOT_SHIPPED.iter().any(|folder| path.starts_with(folder));
    path.starts_with(SHIPPED) && !for_tests
}

fn misplaced(path: &str, source: &Source) -> Vec<String> {
    let others = PLACES.iter().filter(|place| !place.only_in.iter().any(|folder| path.starts_with(folder)));
    others
        .flat_map(|place| {
            let found = word_offsets(&source.shipped, place.word);
            found.into_iter().map(|at| format!("{path}:{}: {}", line_of(&source.text, at), place.reason))
        })
        .collect()
}

fn banned(path: &str, source: &Source) -> Vec<String> {
    let here = BANNED.iter().filter(|(folder, _, _)| path.starts_with(folder));
    here.flat_map(|(_, word, reason)| {
        let found = word_offsets(&source.shipped, word);
        found.into_iter().map(move |at| format!("{path}:{}: `{word}`: {reason}", line_of(&source.text, at)))
    })
    .collect()
}

fn is_sql(literal: &str) -> bool {
    let begins = |word: &str| literal.trim_start().starts_with(word.trim_end());
    SQL.iter().any(|[first, second]| begins(first) && literal.contains(first) && literal.contains(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        findings(&Tree::of(&[(path, text)])).unwrap().len()
    }

    #[test]
    fn sql_is_found_outside_the_database() {
        let text = "fn a() { b(\"SELECT id FROM keys\"); c(\"Select a key from the list\"); }";
        assert_eq!(found("crates/service/src/a.rs", text), 1);
        assert_eq!(found("crates/database/src/a.rs", text), 0);
    }

    #[test]
    fn statuses_are_found_outside_the_server() {
        assert_eq!(found("crates/service/src/a.rs", "use http::StatusCode;"), 1);
        assert_eq!(found("crates/server/src/a.rs", "use http::StatusCode;"), 0);
    }

    #[test]
    fn only_shipped_code_is_held_to_it() {
        assert_eq!(found("crates/gate/src/a.rs", "fn a() { std::env::var(b); }"), 1);
        assert_eq!(
            found("crates/gate/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { std::env::var(b); } }"),
            0
        );
        assert_eq!(found("tests/a.rs", "fn a() { std::env::var(b); }"), 0);
    }

    #[test]
    fn rules_do_not_wait() {
        assert_eq!(found("crates/domain/src/a.rs", "async fn a() {}"), 1);
    }
}
