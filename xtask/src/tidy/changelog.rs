//! The form of `CHANGELOG.md`: sections of kinds, kinds of lines.

use super::tree::Tree;

const PATH: &str = "CHANGELOG.md";
const KINDS: [&str; 4] = ["Added", "Changed", "Fixed", "Security"];

/// What is not of the form.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let Some(text) = tree.text(PATH) else { return Ok(vec![format!("{PATH}: missing")]) };
    let lines = text.lines().enumerate().filter_map(|(number, line)| {
        let what = why_not(line, text)?;
        Some(format!("{PATH}:{}: {what}", number + 1))
    });
    let mut findings: Vec<String> = lines.collect();
    let first = text.lines().find_map(|line| line.strip_prefix("## "));
    if first != Some("Unreleased") {
        findings.push(format!("{PATH}: the first section is not `## Unreleased`"));
    }
    Ok(findings)
}

fn why_not(line: &str, text: &str) -> Option<&'static str> {
    if let Some(kind) = line.strip_prefix("### ") {
        return (!KINDS.contains(&kind)).then_some("kinds are Added, Changed, Fixed, Security");
    }
    if let Some(section) = line.strip_prefix("## ") {
        return (section != "Unreleased" && !is_release(section))
            .then_some("a release is `## 1.2.3 - 2026-01-31`");
    }
    // What stands before the first section is free.
    let preface = text.split("\n## ").next().unwrap_or_default();
    let fine = line.is_empty() || line.starts_with("- ") || line.starts_with("  ") || preface.contains(line);
    (!fine).then_some("a line of a section is `- …`, or goes on with two spaces")
}

fn is_release(section: &str) -> bool {
    let Some((version, date)) = section.split_once(" - ") else { return false };
    let numbers = |text: &str, mark, count| {
        let parts: Vec<&str> = text.split(mark).collect();
        parts.len() == count && parts.iter().all(|part| part.parse::<u32>().is_ok())
    };
    numbers(version, '.', 3) && numbers(date, '-', 3) && date.len() == 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        findings(&Tree::of(&[(PATH, text)])).unwrap().len()
    }

    #[test]
    fn the_form_is_accepted() {
        let text = "# Changelog\n\nWhat changed.\n\n## Unreleased\n\n### Added\n\n- One.\n  More.\n\n## 0.1.0 - 2026-01-31\n";
        assert_eq!(found(text), 0);
    }

    #[test]
    fn what_is_not_of_the_form_is_found() {
        assert_eq!(found("# Changelog\n\n## 0.1.0 - 2026-01-31\n"), 1);
        assert_eq!(found("# Changelog\n\n## Unreleased\n\n### Improved\n"), 1);
        assert_eq!(found("# Changelog\n\n## Unreleased\n\nSome prose.\n"), 1);
        assert_eq!(found("# Changelog\n\n## Unreleased\n\n## soon\n"), 1);
    }
}
