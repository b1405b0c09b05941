//! Tests that are not run: each file that has one is named, with the reason, in the list of known gaps, and no other is.

use anyhow::Context;

use super::tree::Tree;

const PAGE: &str = "docs/book/known-gaps.md";
const HEADING: &str = "## Tests that are not run";
/// In two parts, so that this file does not contain it.
const SKIPS: (&str, &str) = ("ignore", " = \"");

/// Files with skipped tests that the page does not name, and files that it names for nothing.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let page = tree.text(PAGE).context("there is no page of known gaps")?;
    let section = page.split(HEADING).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let named: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let skips = format!("{}{}", SKIPS.0, SKIPS.1);
    let sources = tree.files().iter().filter(|file| file.path.ends_with(".rs"));
    let skipping = sources.filter(|file| file.text.as_deref().is_some_and(|text| text.contains(&skips)));
    let skipping: Vec<&str> = skipping.map(|file| file.path.as_str()).collect();
    let missing = skipping.iter().filter(|path| !named.contains(path));
    let stale = named.iter().filter(|path| !skipping.contains(path));
    Ok(missing
        .map(|path| format!("{path}: a test is not run; say why in {PAGE}, under `{HEADING}`"))
        .chain(stale.map(|path| format!("{PAGE}: `{path}` has no test that is not run")))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_must_be_named_and_nothing_else() {
        let test = format!("#[{}{}why\"]\nfn f() {{}}", SKIPS.0, SKIPS.1);
        let page = format!("{HEADING}\n\n| `a.rs` | why |\n| `b.rs` | why |\n\n## Other\n| `c.rs` | x |\n");
        let found = findings(&Tree::of(&[(PAGE, &page), ("a.rs", &test), ("c.rs", &test)])).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("c.rs: ") && found[1].contains("`b.rs`"), "{found:?}");
    }
}
