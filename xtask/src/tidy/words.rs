//! Words that no file may contain: folders of a machine, hosts of package registries.

use super::tree::Tree;

/// Lock files name the registry that packages come from; that is what they are for.
const EXEMPT: &str = "Cargo.lock";

/// In two parts each, so that this file does not contain them.
const BANNED: [(&str, &str, &str); 9] = [
    ("/wo", "rk/", MACHINE),
    ("/ro", "ot/", MACHINE),
    ("crates", ".io", REGISTRY),
    ("pypi", ".org", REGISTRY),
    ("pythonhosted", ".org", REGISTRY),
    ("npmjs", ".org", REGISTRY),
    ("npmjs", ".com", REGISTRY),
    ("deb.debian", ".org", REGISTRY),
    ("proxy.golang", ".org", REGISTRY),
];
const MACHINE: &str = "a folder of one machine";
const REGISTRY: &str = "where packages come from is the machine's business";

/// Banned words, with their lines.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in tree.files().iter().filter(|file| !file.path.ends_with(EXEMPT)) {
        let lines = file.text.as_deref().unwrap_or_default().lines().enumerate();
        for (number, line) in lines {
            let banned = BANNED.iter().filter(|(one, two, _)| says(line, &format!("{one}{two}")));
            findings.extend(
                banned.map(|(one, two, why)| format!("{}:{}: `{one}{two}`: {why}", file.path, number + 1)),
            );
        }
    }
    Ok(findings)
}

/// Whether a line has the word where a word begins, and not as the end of another path.
fn says(line: &str, word: &str) -> bool {
    let begins = |at: usize| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '}'))
    };
    line.match_indices(word).any(|(at, _)| begins(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_hosts_are_found_where_a_word_begins() {
        let text = ["see /wo", "rk/x, not frame/wo", "rk/x; nor a.crates", ".io"].concat();
        assert_eq!(findings(&Tree::of(&[("a.md", &text)])).unwrap().len(), 1);
    }
}
