//! Every Rust file says at its top what it is, and is part of a crate.

use std::collections::BTreeSet;

use super::source::{Source, braces_end, is_word, word_offsets};
use super::tree::Tree;

/// Files without module docs, and files that no crate contains.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let mut reached = BTreeSet::new();
    for root in roots(tree) {
        reach(tree, &root, true, &mut reached);
    }
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        if !begins_with_docs(&source.text) {
            findings.push(format!("{path}: begins without `//!`: what is here, and what is not?"));
        }
        if !reached.contains(path) {
            findings.push(format!("{path}: no crate contains it; name it in a `mod`, or remove it"));
        }
    }
    Ok(findings)
}

/// Generated files have a plain comment before their docs, crates may have attributes.
fn begins_with_docs(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| {
        let passed =
            line.is_empty() || line.starts_with("#!") || line.starts_with("//") && !line.starts_with("//!");
        !passed
    });
    first.is_some_and(|line| line.starts_with("//!"))
}

/// The files that cargo compiles: those named in manifests and those with the usual names.
fn roots(tree: &Tree) -> Vec<String> {
    let mut roots = Vec::new();
    for file in tree.files() {
        let Some(folder) = file.path.strip_suffix("Cargo.toml") else { continue };
        roots.extend(["src/lib.rs", "src/main.rs", "build.rs"].map(|name| format!("{folder}{name}")));
        for usual in ["src/bin/", "tests/", "benches/", "examples/"] {
            let prefix = format!("{folder}{usual}");
            let direct = |path: &&str| {
                let name = path.strip_prefix(&prefix);
                name.is_some_and(|name| !name.trim_end_matches("/main.rs").contains('/'))
            };
            roots.extend(tree.sources().map(|(path, _)| path).filter(direct).map(str::to_owned));
        }
        let lines = file.text.as_deref().unwrap_or_default().lines();
        let paths = lines.filter_map(|line| line.trim().strip_prefix("path = \"")?.strip_suffix(".rs\""));
        roots.extend(paths.map(|path| joined(folder.trim_end_matches('/'), &format!("{path}.rs"))));
    }
    roots
}

fn reach(tree: &Tree, path: &str, is_root: bool, reached: &mut BTreeSet<String>) {
    let Some(source) = tree.file(path).and_then(|file| file.source.as_ref()) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let own = match name {
        _ if is_root => folder.to_owned(),
        "mod.rs" => folder.to_owned(),
        name => format!("{folder}/{}", name.trim_end_matches(".rs")),
    };
    for module in modules(source) {
        match module.path {
            Some(path) => reach(tree, &joined(folder, &path), true, reached),
            None => {
                reach(tree, &format!("{own}/{}.rs", module.name), false, reached);
                reach(tree, &format!("{own}/{}/mod.rs", module.name), false, reached);
            }
        }
    }
}

/// A module that another file holds.
struct Module {
    /// Its path within the file that names it, such as `tests/cases`.
    name: String,
    /// What `#[path]` says.
    path: Option<String>,
}

fn modules(source: &Source) -> Vec<Module> {
    let code = &source.code;
    let mut modules: Vec<Module> = Vec::new();
    let mut inline: Vec<(usize, String)> = Vec::new();
    for at in word_offsets(code, "mod") {
        let rest = code.get(at + 3..).unwrap_or_default();
        let name: String =
            rest.trim_start().chars().take_while(|&c| c.is_ascii() && is_word(c as u8)).collect();
        let after = rest.trim_start().get(name.len()..).unwrap_or_default().trim_start();
        inline.retain(|(end, _)| at < *end);
        let full =
            inline.iter().map(|(_, name)| name.as_str()).chain([name.as_str()]).collect::<Vec<_>>().join("/");
        if after.starts_with(';') && !name.is_empty() {
            modules.push(Module { name: full, path: path_attribute(source, at) });
        } else if after.starts_with('{')
            && let Some(end) = braces_end(code, code.len() - after.len())
        {
            inline.push((end.min(code.len()), name));
        }
    }
    modules
}

/// The `#[path = "…"]` in the lines directly above the module's.
fn path_attribute(source: &Source, at: usize) -> Option<String> {
    let (above, _) = source.text.get(..at)?.rsplit_once('\n')?;
    let attributes = above.lines().rev().take_while(|line| line.trim_start().starts_with("#["));
    let mut paths =
        attributes.filter_map(|line| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]"));
    paths.next().map(str::to_owned)
}

/// A path seen from a folder, without `.` and `..`.
pub(super) fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: (&str, &str) = ("a/Cargo.toml", "[package]");

    #[test]
    fn modules_are_followed_into_folders_inline_modules_and_paths() {
        let tree = Tree::of(&[
            MANIFEST,
            (
                "a/src/lib.rs",
                "//! A.\nmod b;\n#[cfg(test)]\n#[path = \"far/d.rs\"]\nmod d;\nmod t { mod e; }",
            ),
            ("a/src/b.rs", "//! B.\nmod c;"),
            ("a/src/b/c/mod.rs", "//! C."),
            ("a/src/far/d.rs", "//! D."),
            ("a/src/t/e.rs", "//! E."),
        ]);
        assert_eq!(findings(&tree).unwrap(), [""; 0]);
    }

    #[test]
    fn a_file_without_a_module_is_found() {
        let tree = Tree::of(&[MANIFEST, ("a/src/lib.rs", "//! A. mod b;"), ("a/src/b.rs", "//! B.")]);
        assert_eq!(findings(&tree).unwrap().len(), 1);
    }

    #[test]
    fn a_file_without_docs_is_found() {
        let tree = Tree::of(&[MANIFEST, ("a/src/lib.rs", "use b;\n//! Late.")]);
        assert_eq!(findings(&tree).unwrap().len(), 1);
    }

    #[test]
    fn generated_files_may_say_so_first() {
        let tree = Tree::of(&[MANIFEST, ("a/src/lib.rs", "// Generated.\n//! A.")]);
        assert!(findings(&tree).unwrap().is_empty());
    }
}
