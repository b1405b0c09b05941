//! A request written roughly as HTTP/1.1 has it, which is what the corpora hold and dictionaries speak.
//!
//! ```text
//! METHOD path?query
//! name: value
//!
//! body
//! ```

/// The parts of a request, of which nothing is known to be right.
pub struct RawRequest<'a> {
    /// Before the first space.
    pub method: &'a str,
    /// Between that and the first question mark.
    pub path: &'a str,
    /// After it.
    pub query: &'a str,
    /// Lines up to an empty one. Those without a colon have an empty value.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// What follows.
    pub body: &'a [u8],
}

impl<'a> RawRequest<'a> {
    /// Takes `bytes` apart; `None` when what must be text is not.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (line, mut rest) = line(bytes);
        let line = str::from_utf8(line).ok()?;
        let (method, target) = line.split_once(' ').unwrap_or(("POST", line));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::new();
        while !rest.is_empty() {
            let (header, after) = self::line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            headers.push(split_header(header)?);
        }
        Some(Self { method, path, query, headers, body: rest })
    }
}

/// The first line, and what follows its end.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn split_header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let (name, value) = line.split_at(colon);
    Some((str::from_utf8(name).ok()?, value.get(1..).unwrap_or_default()))
}
