//! Policy documents of identities: compiled, and no longer than IAM lets them be.

use std::sync::Arc;

use trent_policy::{Document, Kind, Malformed, Problem};

use super::file::position;

/// Compiles a document.
pub(super) fn compile(text: &str, kind: Kind) -> Result<Arc<Document>, String> {
    Document::parse(text, kind).map(Arc::new).map_err(|error| explain("its policy", text, &error))
}

/// What is wrong with a document, for whoever wrote it: with line and column where that is known.
pub(super) fn explain(name: &str, text: &str, error: &Malformed) -> String {
    match error.problem() {
        Problem::Syntax { offset, detail } => {
            let (line, column) = position(text, *offset);
            format!("{name}:{line}:{column}: not valid JSON: {detail}")
        }
        _ => format!("{name}: {error}"),
    }
}

/// The characters of a document that count: all but white space.
pub(super) fn counted(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}
