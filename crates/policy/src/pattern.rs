//! Texts with wildcards and variables, compiled once and matched without allocating.
//!
//! `*` stands for any run of characters, `?` for one. What a variable stands for is literal text: a `*`
//! in a user's name is no wildcard.

use crate::facts::{ConditionKeys, Values};

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pattern {
    pieces: Box<[Piece]>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These characters.
    Text(Box<str>),
    /// The value of a condition key, its name in lower case.
    Variable { key: Box<str>, default: Option<Box<str>> },
    /// `*`
    AnyRun,
    /// `?`
    AnyOne,
}

/// What has a meaning in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Whether `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// Whether `${…}` is a variable.
    pub(crate) variables: bool,
}

/// Which letters count as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Exact,
    IgnoreAscii,
}

impl Case {
    fn equal(self, one: &str, other: &str) -> bool {
        self.equal_bytes(one.as_bytes(), other.as_bytes())
    }

    fn equal_bytes(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Exact => one == other,
            // Most are written with the letters that the API has, and comparing those alone is faster.
            Self::IgnoreAscii => one == other || one.eq_ignore_ascii_case(other),
        }
    }
}

impl Pattern {
    /// `*` alone.
    pub(crate) fn any() -> Pattern {
        Pattern { pieces: [Piece::AnyRun].into() }
    }

    /// Compiles a text; the error says what is wrong with a variable.
    pub(crate) fn parse(text: &str, meaning: Meaning) -> Result<Pattern, &'static str> {
        let mut builder = Builder::default();
        let mut rest = text;
        loop {
            if meaning.variables
                && let Some(inside) = rest.strip_prefix("${")
            {
                let (content, after) = split_variable(inside)?;
                builder.variable(content)?;
                rest = after;
                continue;
            }
            let mut chars = rest.chars();
            match chars.next() {
                None => return Ok(builder.finish()),
                Some('*') if meaning.wildcards => builder.piece(Piece::AnyRun),
                Some('?') if meaning.wildcards => builder.piece(Piece::AnyOne),
                Some(other) => builder.text.push(other),
            }
            rest = chars.as_str();
        }
    }

    /// Whether all of `subject` matches.
    pub(crate) fn matches(&self, subject: &str, case: Case, keys: &dyn ConditionKeys) -> bool {
        // What nearly all patterns are.
        match &*self.pieces {
            [Piece::Text(text)] => case.equal(text, subject),
            [Piece::AnyRun] => true,
            [Piece::Text(text), Piece::AnyRun] => subject
                .as_bytes()
                .get(..text.len())
                .is_some_and(|head| case.equal_bytes(text.as_bytes(), head)),
            _ => self.matches_pieces(subject, case, keys),
        }
    }

    /// The same of any pattern. Time is at most the product of both lengths: only the last `*` is ever tried again,
    /// since what earlier ones took already leaves the most for the rest.
    fn matches_pieces(&self, subject: &str, case: Case, keys: &dyn ConditionKeys) -> bool {
        let mut at = 0;
        let mut rest = subject;
        let mut retry: Option<(usize, &str)> = None;
        loop {
            match self.pieces.get(at) {
                Some(Piece::AnyRun) => {
                    at += 1;
                    retry = Some((at, rest));
                    continue;
                }
                Some(piece) => {
                    if let Some(after) = piece.strip(rest, case, keys) {
                        rest = after;
                        at += 1;
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            let Some((after_run, from)) = retry else { return false };
            // A pattern that ends in `*` takes whatever is left.
            if after_run == self.pieces.len() {
                return true;
            }
            let mut chars = from.chars();
            if chars.next().is_none() {
                return false;
            }
            rest = chars.as_str();
            at = after_run;
            retry = Some((after_run, rest));
        }
    }

    /// Whether `subject` is this text but for upper and lower case, beyond ASCII too. Wildcards have no
    /// meaning here.
    pub(crate) fn equals_ignoring_case(&self, subject: &str, keys: &dyn ConditionKeys) -> bool {
        let own = self.pieces.iter().flat_map(|piece| piece.literal(keys).unwrap_or_default().chars());
        own.flat_map(char::to_lowercase).eq(subject.chars().flat_map(char::to_lowercase))
    }

    /// Whether this is `*` alone.
    pub(crate) fn is_any(&self) -> bool {
        matches!(*self.pieces, [Piece::AnyRun])
    }

    /// Whether this is one variable and nothing else.
    pub(crate) fn is_variable(&self) -> bool {
        matches!(*self.pieces, [Piece::Variable { .. }])
    }

    /// Whether this ends with `*`.
    pub(crate) fn ends_open(&self) -> bool {
        matches!(self.pieces.last(), Some(Piece::AnyRun))
    }

    /// Whether this is exactly the given text.
    pub(crate) fn is_text(&self, text: &str) -> bool {
        matches!(&*self.pieces, [Piece::Text(own)] if **own == *text)
    }

    /// The characters before the first wildcard or variable, and whether there is none of either.
    pub(crate) fn literal_start(&self) -> (&str, bool) {
        match &*self.pieces {
            [] => ("", true),
            [Piece::Text(text)] => (text, true),
            [Piece::Text(text), ..] => (text, false),
            _ => ("", false),
        }
    }

    /// The variables without a default: unless the request has them all, nothing can be said.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, default: None } => Some(&**key),
            _ => None,
        })
    }

    /// Whether any variable occurs.
    pub(crate) fn has_variables(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }))
    }

    /// Cuts at the `:` of the text, not at those inside variables, into at most `parts_max` parts; the
    /// last one takes the rest.
    pub(crate) fn split(&self, parts_max: usize) -> Vec<Pattern> {
        let mut parts = Vec::new();
        let mut builder = Builder::default();
        for piece in &self.pieces {
            let Piece::Text(text) = piece else {
                builder.piece(piece.clone());
                continue;
            };
            let mut rest: &str = text;
            while parts.len() + 1 < parts_max
                && let Some((part, after)) = rest.split_once(':')
            {
                builder.text.push_str(part);
                parts.push(std::mem::take(&mut builder).finish());
                rest = after;
            }
            builder.text.push_str(rest);
        }
        parts.push(builder.finish());
        parts
    }
}

impl Piece {
    /// What is left of `subject` after this piece, if it begins with it.
    fn strip<'s>(&self, subject: &'s str, case: Case, keys: &dyn ConditionKeys) -> Option<&'s str> {
        if let Piece::AnyOne = self {
            let mut chars = subject.chars();
            return chars.next().map(|_| chars.as_str());
        }
        let literal = self.literal(keys)?;
        let (head, rest) = subject.split_at_checked(literal.len())?;
        case.equal(literal, head).then_some(rest)
    }

    /// The characters this stands for; `None` for wildcards and for variables the request lacks.
    fn literal<'p>(&'p self, keys: &'p dyn ConditionKeys) -> Option<&'p str> {
        match self {
            Piece::Text(text) => Some(text),
            Piece::Variable { key, default } => match keys.values(key) {
                Some(Values::One(value)) => Some(value),
                // Several values have no one text to put in place of the variable.
                Some(Values::Many(_)) | None => default.as_deref(),
            },
            Piece::AnyRun | Piece::AnyOne => None,
        }
    }
}

/// Collects pieces, joining neighbours.
#[derive(Default)]
struct Builder {
    pieces: Vec<Piece>,
    text: String,
}

impl Builder {
    fn piece(&mut self, piece: Piece) {
        self.end_text();
        // Two runs in a row say no more than one.
        if piece != Piece::AnyRun || self.pieces.last() != Some(&Piece::AnyRun) {
            self.pieces.push(piece);
        }
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text).into()));
        }
    }

    fn variable(&mut self, content: &str) -> Result<(), &'static str> {
        if matches!(content, "*" | "?" | "$") {
            self.text.push_str(content);
            return Ok(());
        }
        let (key, default) = match content.split_once(',') {
            None => (content, None),
            Some((key, default)) => (key, Some(unquoted(default.trim())?)),
        };
        if key.is_empty() {
            return Err("has no name");
        }
        if key.contains(|c: char| c.is_whitespace() || matches!(c, '$' | '{' | '*' | '?' | '\'')) {
            return Err("has a character that names of variables cannot have");
        }
        let key = key.to_ascii_lowercase().into();
        self.piece(Piece::Variable { key, default: default.map(Into::into) });
        Ok(())
    }

    fn finish(mut self) -> Pattern {
        self.end_text();
        Pattern { pieces: self.pieces.into() }
    }
}

/// Splits what follows `${` at the closing brace; braces between quotes belong to the default value.
fn split_variable(inside: &str) -> Result<(&str, &str), &'static str> {
    let mut quoted = false;
    for (index, c) in inside.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '}' if !quoted => {
                let after = inside.get(index + 1..).unwrap_or_default();
                return Ok((inside.get(..index).unwrap_or_default(), after));
            }
            _ => {}
        }
    }
    Err(if quoted { "lacks the closing quote of its default value" } else { "lacks its closing brace" })
}

fn unquoted(default: &str) -> Result<&str, &'static str> {
    let inner = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.filter(|text| !text.contains('\'')).ok_or("needs single quotes around its default value")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::tests::Keys;

    fn glob(pattern: &str, subject: &str) -> bool {
        let meaning = Meaning { wildcards: true, variables: false };
        Pattern::parse(pattern, meaning).unwrap().matches(subject, Case::Exact, &Keys::default())
    }

    /// The definition, tried in every way.
    fn oracle(pattern: &[char], subject: &[char]) -> bool {
        match (pattern, subject) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=subject.len()).any(|taken| oracle(rest, &subject[taken..])),
            (['?', rest @ ..], [_, after @ ..]) => oracle(rest, after),
            ([c, rest @ ..], [s, after @ ..]) => c == s && oracle(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_the_definition(pattern in "[ab?*ü]{0,9}", subject in "[abü]{0,12}") {
            let (p, s): (Vec<char>, Vec<char>) = (pattern.chars().collect(), subject.chars().collect());
            prop_assert_eq!(glob(&pattern, &subject), oracle(&p, &s));
        }

        #[test]
        fn any_text_compiles_or_is_refused(text in "[${},'*? :a-c]{0,30}") {
            for (wildcards, variables) in [(false, false), (true, false), (false, true), (true, true)] {
                let _ = Pattern::parse(&text, Meaning { wildcards, variables });
            }
        }
    }

    #[test]
    fn many_wildcards_do_not_blow_up() {
        let subject = format!("{}b", "a".repeat(1_999));
        let patterns = ["*a".repeat(40), "*a?".repeat(40) + "c", format!("{}b", "a*".repeat(40))];
        for pattern in patterns {
            // The best of several, since the machine may be doing something else.
            let times = (0..20).map(|_| {
                let begin = Instant::now();
                std::hint::black_box(glob(&pattern, &subject));
                begin.elapsed()
            });
            assert!(times.min() < Some(Duration::from_millis(1)), "{pattern}");
        }
    }

    #[test]
    fn splitting_respects_variables() {
        let meaning = Meaning { wildcards: true, variables: true };
        let pattern = Pattern::parse("arn:aws:kms:*:${aws:PrincipalAccount}:key/a:b", meaning).unwrap();
        let parts = pattern.split(6);
        assert_eq!(parts.len(), 6);
        assert!(parts[3].is_any() && parts[4].is_variable() && parts[5].is_text("key/a:b"));
    }
}
