//! The canonical request: the one text that client and server must both arrive at.
//!
//! ```text
//! Method \n Path \n Query \n Header lines \n \n Signed headers \n SHA-256 of the body
//! ```
//!
//! It is written piece by piece into a [`Sink`]: straight into the hash, or into a text when it is to be shown.
//!
//! Choices where clients differ. Paths are encoded as they were sent, once: a client that sends `%20` signs
//! `%2520`. Runs of spaces in header values become one space; tabs within a value stay, which is what AWS describes
//! and what the signers for Rust and Go do. Those for Python, JavaScript and Java turn tabs into spaces, so what they
//! sign with a tab within a value is refused. Of a folded line, the break and the blanks around it become one space.

use aws_lc_rs::digest;

use crate::{
    error::SignatureError,
    query::{CanonicalQuery, unescape},
    request::{self, Headers, Request},
};

/// Where canonical text goes.
pub(crate) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for String {
    fn put(&mut self, bytes: &[u8]) {
        self.push_str(&Self::from_utf8_lossy(bytes));
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A SHA-256 that gathers small pieces before it takes them: a canonical request is some forty of them, and a
/// call into the hash costs more than copying one.
pub(crate) struct Hashing {
    context: digest::Context,
    buffer: [u8; 512],
    used: usize,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        Self { context: digest::Context::new(&digest::SHA256), buffer: [0; 512], used: 0 }
    }

    /// The hash of everything put in.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.flush();
        request::to_array(self.context.finish().as_ref())
    }

    fn flush(&mut self) {
        self.context.update(self.buffer.get(..self.used).unwrap_or_default());
        self.used = 0;
    }
}

impl Sink for Hashing {
    fn put(&mut self, bytes: &[u8]) {
        if self.used + bytes.len() > self.buffer.len() {
            self.flush();
        }
        match self.buffer.get_mut(self.used..self.used + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.used += bytes.len();
            }
            None => self.context.update(bytes),
        }
    }
}

/// Writes the canonical request, with header lines in the order of the list of signed headers.
///
/// Returns whether every listed header was there. If not, no signature can be right: a header that is signed but
/// absent must never pass for an empty one.
pub(crate) fn put_request<H: Headers + ?Sized>(
    request: &Request<'_, H>,
    query: &CanonicalQuery,
    signed: &[&str],
    out: &mut impl Sink,
) -> bool {
    out.put(request.method.as_bytes());
    out.put(b"\n");
    put_path(request.path, out);
    out.put(b"\n");
    query.put(out);
    out.put(b"\n");
    let mut complete = true;
    for name in signed {
        complete &= put_header(request.headers, name, out);
    }
    for (at, name) in signed.iter().enumerate() {
        out.put(if at == 0 { b"\n" } else { b";" });
        out.put(name.as_bytes());
    }
    out.put(b"\n");
    out.put(&request::hex(&request.body_sha256));
    complete
}

/// Writes `name:value,value\n`, or nothing if there is no such header.
fn put_header<H: Headers + ?Sized>(headers: &H, name: &str, out: &mut impl Sink) -> bool {
    // Over HTTP/2 a client may sign the pseudo header; the caller hands over its value as `host`.
    let host = name.eq_ignore_ascii_case(":authority");
    let is = |other: &str| other.eq_ignore_ascii_case(name) || (host && other.eq_ignore_ascii_case("host"));
    let mut found = false;
    for (_, value) in headers.iter().filter(|(other, _)| is(other)) {
        if found {
            out.put(b",");
        } else {
            put_lower_case(name, out);
            out.put(b":");
        }
        found = true;
        put_value(value, out);
    }
    if found {
        out.put(b"\n");
    }
    found
}

/// Writes a header name in lower case.
fn put_lower_case(name: &str, out: &mut impl Sink) {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        out.put(name.to_ascii_lowercase().as_bytes());
    } else {
        out.put(name.as_bytes());
    }
}

/// Writes a header value without blanks at its ends and with one space for each run of spaces.
fn put_value(value: &[u8], out: &mut impl Sink) {
    let mut rest = trim(value);
    while let Some(start) = rest.iter().position(|byte| is_blank(*byte)) {
        let (text, tail) = rest.split_at(start);
        let length = tail.iter().position(|byte| !is_blank(*byte)).unwrap_or(tail.len());
        let (blanks, tail) = tail.split_at(length);
        out.put(text);
        put_blanks(blanks, out);
        rest = tail;
    }
    out.put(rest);
}

/// Writes what a run of blanks within a value becomes.
fn put_blanks(blanks: &[u8], out: &mut impl Sink) {
    if blanks.iter().all(|byte| *byte == b' ') || blanks.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return out.put(b" ");
    }
    for group in blanks.chunk_by(|left, right| left == right) {
        out.put(if group.first() == Some(&b' ') { b" " } else { group });
    }
}

/// A value without the blanks at its ends.
fn trim(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|byte| !is_blank(*byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// Space, tab and line ends. Line ends occur in folded headers alone, which HTTP servers refuse today.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a path is what nearly every request has.
fn is_root(path: &str) -> bool {
    matches!(path, "" | "/")
}

/// Checks what AWS answers with a bare 400: a path that is not absolute, broken percent escapes, `..` above the
/// root.
pub(crate) fn check_path(path: &str) -> Result<(), SignatureError> {
    if is_root(path) {
        return Ok(());
    }
    if !(path.is_empty() || path.starts_with('/')) {
        return Err(SignatureError::MalformedPath);
    }
    let mut rest = path.as_bytes();
    while let Some(start) = rest.iter().position(|byte| *byte == b'%') {
        let tail = rest.get(start + 1..).unwrap_or_default();
        rest = unescape(tail).map_err(|_| SignatureError::MalformedPath)?.1;
    }
    let mut depth = 0_usize;
    for segment in path.split('/') {
        depth = match segment {
            "" | "." => depth,
            ".." => depth.checked_sub(1).ok_or(SignatureError::MalformedPath)?,
            _ => depth + 1,
        };
    }
    Ok(())
}

/// Writes a path: empty and `.` segments dropped, `..` resolved, each segment encoded as it stands.
fn put_path(path: &str, out: &mut impl Sink) {
    if is_root(path) {
        return out.put(b"/");
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    for segment in &segments {
        out.put(b"/");
        put_encoded(out, segment.as_bytes());
    }
    // RFC 3986, 5.2.4: what ends in `/`, `/.` or `/..` is a directory, and keeps its slash.
    if segments.is_empty() || ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) {
        out.put(b"/");
    }
}

/// Writes bytes with everything percent-encoded but the unreserved characters of RFC 3986.
pub(crate) fn put_encoded(out: &mut impl Sink, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for run in bytes.chunk_by(|left, right| stays(*left) && stays(*right)) {
        match run {
            [byte] if !stays(*byte) => out.put(&[b'%', digit(byte >> 4), digit(byte & 15)]),
            text => out.put(text),
        }
    }
}
