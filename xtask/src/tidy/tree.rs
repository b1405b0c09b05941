//! The files of the checkout, read once; and the rule about their size.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::source::Source;

/// What is no part of the project although it lies in its folder.
const SKIPPED: [&str; 9] = [
    ".git",
    "target",
    "node_modules",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    "trent-data",
    "corpus-run",
    ".cargo-home",
];

/// Larger files belong elsewhere: they make every checkout slower for ever.
const FILE_BYTES_MAX: u64 = 1_500_000;

/// A file.
pub(super) struct File {
    /// Its path from the root, with `/`.
    pub(super) path: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Its content, where that is text.
    pub(super) text: Option<String>,
    /// What it says as Rust, where it is Rust.
    pub(super) source: Option<Source>,
}

/// All files, in the order of their paths.
pub(super) struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads all files below a folder.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Self { files })
    }

    /// A tree of the given files.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |&(path, text): &(&str, &str)| File::new(path.to_owned(), text.as_bytes().to_vec());
        Self { files: files.iter().map(file).collect() }
    }

    /// All files.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The file with this path.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of the file with this path.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.file(path)?.text.as_deref()
    }

    /// Whether there is a file, or a folder with files, of this path.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }

    /// All Rust files.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.source.as_ref()?)))
    }

    /// All Markdown files.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        let documents = self.files.iter().filter(|file| file.path.ends_with(".md"));
        documents.filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }
}

impl File {
    fn new(path: String, content: Vec<u8>) -> Self {
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let text = String::from_utf8(content).ok();
        let source = text.as_deref().filter(|_| path.ends_with(".rs")).map(Source::new);
        Self { path, bytes, text, source }
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (kind, path) = (entry.file_type()?, format!("{prefix}{name}"));
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let content = fs::read(entry.path()).with_context(|| format!("cannot read `{path}`"))?;
            files.push(File::new(path, content));
        }
    }
    Ok(())
}

/// Files that are too large.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let large = tree.files().iter().filter(|file| file.bytes > FILE_BYTES_MAX);
    Ok(large.map(|file| format!("{}: {} bytes; at most {FILE_BYTES_MAX}", file.path, file.bytes)).collect())
}
