//! Rust text without what misleads a search: comments, literals, tests.
//!
//! Not a parser. It knows where comments and literals begin and end and pairs brackets, which is enough for rules
//! that look for words.

/// A string literal.
pub(super) struct Literal {
    /// The line it begins in, from 1.
    pub(super) line: usize,
    /// What stands between its quotes.
    pub(super) text: String,
}

/// A Rust file. All texts have the same offsets: what is left out is blanked.
pub(super) struct Source {
    /// The file as it is.
    pub(super) text: String,
    /// Without comments and literals.
    pub(super) code: String,
    /// Without comments, literals and what is only compiled for tests.
    pub(super) shipped: String,
    /// String literals of what is shipped.
    pub(super) literals: Vec<Literal>,
}

impl Source {
    /// Reads a file.
    pub(super) fn new(text: &str) -> Self {
        let (code, found) = without_comments_and_literals(text);
        let tests = test_items(&code);
        let mut shipped = code.clone().into_bytes();
        for &(start, end) in &tests {
            blank(&mut shipped, start, end);
        }
        let shipped = String::from_utf8(shipped).unwrap_or_default();
        let in_test = |at: usize| tests.iter().any(|&(start, end)| (start..end).contains(&at));
        let literals = found.into_iter().filter(|&(start, _)| !in_test(start)).map(|(start, end)| Literal {
            line: line_of(text, start),
            text: text.get(start + 1..end.saturating_sub(1)).unwrap_or_default().to_owned(),
        });
        Self { text: text.to_owned(), literals: literals.collect(), code, shipped }
    }
}

/// The line of an offset, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}

/// The offsets of a word, where it is not a part of a longer one.
pub(super) fn word_offsets(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let part = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|&byte| is_word(byte));
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !part(at.checked_sub(1)) && !part(Some(at + word.len())))
        .collect()
}

/// Where the item that begins at `at` ends: after its braces, or after its semicolon.
pub(super) fn item_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return Some(offset + 1),
            b'{' if depth == 0 => return braces_end(code, offset),
            _ => {}
        }
    }
    None
}

/// Where the braces that open at `at` are closed.
pub(super) fn braces_end(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(offset + 1);
        }
    }
    None
}

pub(super) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The spans of items under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    const MARK: &str = "#[cfg(test)]";
    code.match_indices(MARK)
        .filter_map(|(at, _)| {
            let mut item = at + MARK.len();
            // Further attributes before the item.
            while let Some(rest) = code.get(item..).filter(|rest| rest.trim_start().starts_with("#[")) {
                item += rest.find(']')? + 1;
            }
            Some((at, item_end(code, item)?))
        })
        .collect()
}

fn blank(bytes: &mut [u8], start: usize, end: usize) {
    for byte in bytes.iter_mut().take(end).skip(start).filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// The text with comments and literals blanked, and the spans of string literals from quote to quote.
fn without_comments_and_literals(text: &str) -> (String, Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let (mut code, mut strings, mut at) = (bytes.to_vec(), Vec::new(), 0);
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let end = match rest {
            [b'/', b'/', ..] => at + line_comment(rest),
            [b'/', b'*', ..] => at + block_comment(rest),
            [b'"', ..] => at + string(rest),
            [b'\'', ..] => at + character(rest),
            [b'r', ..] if !after_word(bytes, at) => at + raw_string(rest),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        let quote = rest.iter().position(|&byte| byte == b'"').map_or(at, |offset| at + offset);
        match rest.first() {
            Some(b'"') => strings.push((at, end)),
            // The marks around a raw string are as long after it as before its quote, less the `r`.
            Some(b'r') => strings.push((quote, end - (quote - at - 1))),
            _ => {}
        }
        blank(&mut code, at, end);
        at = end;
    }
    // Only whole characters were blanked, so this is UTF-8.
    (String::from_utf8(code).unwrap_or_default(), strings)
}

/// Whether what stands at `at` goes on with a word; the prefixes `b` and `c` of literals do not count.
fn after_word(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at)).copied();
    match before(1) {
        Some(b'b' | b'c') => before(2).is_some_and(is_word),
        Some(byte) => is_word(byte),
        None => false,
    }
}

fn line_comment(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(pair) = rest.get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal; none for a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let closing = rest.iter().skip(3).position(|&byte| byte == b'\'');
        return closing.map_or(rest.len(), |offset| offset + 4);
    }
    // One character of up to four bytes stands between the quotes of a literal.
    let closing = rest.iter().take(6).skip(2).position(|&byte| byte == b'\'').map(|offset| offset + 2);
    let one = |end: &usize| {
        let between = rest.get(1..*end).and_then(|bytes| str::from_utf8(bytes).ok());
        between.is_some_and(|between| between.chars().count() == 1)
    };
    closing.filter(one).map_or(0, |end| end + 1)
}

/// The length of a raw string; none for a word that begins with `r`.
fn raw_string(rest: &[u8]) -> usize {
    let marks = rest.iter().skip(1).take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + marks) != Some(&b'"') {
        return 0;
    }
    let closing = [b"\"".as_slice(), "#".repeat(marks).as_bytes()].concat();
    let body = rest.get(2 + marks..).unwrap_or_default();
    let found = body.windows(closing.len()).position(|window| window == closing);
    found.map_or(rest.len(), |offset| 2 + marks + offset + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lifetimes_stay() {
        let text =
            "let a: &'a str = \"x // {\"; // {\nlet b = ('{', '\\'', b'\\n', 'é'); /* { /* } */ */ end";
        let code = Source::new(text).code;
        assert_eq!(code.len(), text.len());
        assert!(code.contains("&'a str") && code.contains("end") && !code.contains('{'), "{code}");
    }

    #[test]
    fn literals_are_kept_with_their_lines() {
        let source = Source::new("\nf(\"one \\\" two\", r#\"SELECT \"x\"\"#, br\"b\", for_r\"c\");");
        let literals: Vec<_> =
            source.literals.iter().map(|found| (found.line, found.text.as_str())).collect();
        assert_eq!(literals, [(2, "one \\\" two"), (2, "SELECT \"x\""), (2, "b"), (2, "c")]);
    }

    #[test]
    fn tests_are_not_shipped() {
        let text = "fn a() { b(); }\n#[cfg(test)]\n#[expect(x)]\nmod tests { fn c() { \"d\"; } }\nfn e() {}";
        let source = Source::new(text);
        assert!(source.shipped.contains("fn e") && !source.shipped.contains("fn c"));
        assert!(source.literals.is_empty());
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(word_offsets("StatusCode XStatusCode StatusCodes StatusCode", "StatusCode"), [0, 35]);
    }
}
