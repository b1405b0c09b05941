//! Documents: one title at the top, links that lead somewhere, and a book whose contents are complete.

use super::modules::joined;
use super::tree::Tree;

const SUMMARY: &str = "docs/book/SUMMARY.md";
const BOOK: &str = "docs/book/";

/// Broken links, missing titles, pages that the book does not list.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, text) in tree.documents() {
        let prose = without_code(text);
        if prose.lines().filter(|line| line.starts_with("# ")).count() != 1 || !text.starts_with("# ") {
            findings.push(format!("{path}: a document has one `# title`, at its top"));
        }
        for (line, target) in links(&prose) {
            if let Some(why) = why_broken(tree, path, &target) {
                findings.push(format!("{path}:{line}: link to `{target}`: {why}"));
            }
        }
    }
    findings.extend(unlisted(tree));
    Ok(findings)
}

/// Pages of the book that its contents do not name.
fn unlisted(tree: &Tree) -> Vec<String> {
    let summary = tree.text(SUMMARY).unwrap_or_default();
    let listed: Vec<String> = links(summary).into_iter().map(|(_, target)| target).collect();
    let pages =
        tree.documents().filter_map(|(path, _)| path.strip_prefix(BOOK)).filter(|page| *page != "SUMMARY.md");
    let missing = pages.filter(|page| !listed.iter().any(|target| target == page));
    missing.map(|page| format!("{SUMMARY}: does not list `{page}`")).collect()
}

/// The text with fenced blocks and `code` blanked, line by line.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        if !fenced && !is_fence {
            let outside = line.split('`').step_by(2);
            prose.push_str(&outside.collect::<Vec<_>>().join("code"));
        }
        prose.push('\n');
    }
    prose
}

/// The targets of links `[text](target)`, with their lines.
fn links(prose: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose.lines().enumerate() {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        links.extend(targets.map(|target| (number + 1, target.to_owned())));
    }
    links
}

fn why_broken(tree: &Tree, from: &str, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if path.is_empty() { from.to_owned() } else { joined(folder, path) };
    if !tree.has(&path) {
        return Some("there is no such file");
    }
    let headings = tree.text(&path).unwrap_or_default().lines().filter(|line| line.starts_with('#'));
    let known = anchor.is_empty() || headings.map(slug).any(|heading| heading == anchor);
    (!known).then_some("there is no such heading")
}

/// A heading as it stands in links.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        findings(&Tree::of(files)).unwrap()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let a = "# A\n\n[b](docs/b.md), [c](docs/b.md#what-is-it), [self](#a), [out](https://example.com), `[x](y)`\n";
        let b = "# B\n\n## What is it?\n\n[up](../a.md) [folder](../docs)\n\n```sh\n# [no](link)\n```\n";
        assert_eq!(found(&[("a.md", a), ("docs/b.md", b)]), [""; 0]);
    }

    #[test]
    fn broken_links_are_found() {
        assert_eq!(found(&[("a.md", "# A\n\n[b](b.md)\n\n[c](#c)\n")]).len(), 2);
    }

    #[test]
    fn a_page_that_the_book_does_not_list_is_found() {
        let summary = "# Summary\n\n- [A](a.md)\n";
        let files = [(SUMMARY, summary), ("docs/book/a.md", "# A\n"), ("docs/book/b.md", "# B\n")];
        assert_eq!(found(&files).len(), 1);
    }

    #[test]
    fn a_document_has_one_title() {
        assert_eq!(found(&[("a.md", "Text\n")]).len(), 1);
        assert_eq!(found(&[("a.md", "# A\n\n# B\n")]).len(), 1);
    }
}
