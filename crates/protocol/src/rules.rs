//! The kinds of constraints, applied to members as read. Which member has which is in `generated/`.
//!
//! A member against several constraints is reported once for each: length first, then pattern.
//!
//! Lengths of texts count UTF-16 units, as the service (Java) does: an emoji has length 2.

use std::marker::PhantomData;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::raw::{Blob, Check, HiddenBlob, HiddenText, StringMap, Structure, Text};
use crate::secret::{SecretBlob, SecretString};
use crate::timestamp::EpochSeconds;
use crate::validate::{Constraint, Echo, Listed, Path, Violations};
use crate::wire_enum::WireEnum;

/// Longest text an expression is tried on, in bytes; all texts with one are limited to 512 characters. An
/// expression costs some 100 ns per byte, which for a body full of it would be noticed.
const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

/// What a member as read must satisfy, and what it then is.
pub(crate) trait Rule<V> {
    type Valid;

    /// The valid value. It may also come back although a violation was recorded: decoding then fails anyway.
    fn check(&self, value: V, at: &Path<'_>, found: &mut Violations) -> Option<Self::Valid>;
}

impl Violations {
    pub(crate) fn required<V, R: Rule<V>>(
        &mut self,
        at: &Path<'_>,
        value: Option<V>,
        rule: &R,
    ) -> Option<R::Valid> {
        if value.is_none() {
            self.add(at, Echo::Null, &Constraint::NotNull);
        }
        self.optional(at, value, rule)
    }

    pub(crate) fn optional<V, R: Rule<V>>(
        &mut self,
        at: &Path<'_>,
        value: Option<V>,
        rule: &R,
    ) -> Option<R::Valid> {
        value.and_then(|value| rule.check(value, at, self))
    }
}

/// Length of a text, blob or list, both ends included.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

impl Length {
    fn check(self, length: usize, echo: Echo<'_>, at: &Path<'_>, found: &mut Violations) {
        if length < self.min {
            found.add(at, echo, &Constraint::LengthMin(self.min));
        }
        if length > self.max {
            found.add(at, echo, &Constraint::LengthMax(self.max));
        }
    }
}

/// A pattern of the model; the whole text has to match.
pub(crate) struct Pattern {
    /// As the model prints it.
    pub(crate) text: &'static str,
    pub(crate) matcher: Matcher,
}

/// How a pattern is matched.
pub(crate) enum Matcher {
    /// Every character is one of a set; whether the empty text matches. This is nearly all patterns.
    Characters { in_set: fn(char) -> bool, may_be_empty: bool },
    /// Anything else.
    Expression(&'static LazyLock<Option<Regex>>),
}

/// Compiles a pattern for whole texts. `None` matches nothing; tests try every pattern.
pub(crate) fn expression(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Characters { in_set, may_be_empty } => {
                (*may_be_empty || !text.is_empty()) && text.chars().all(in_set)
            }
            Matcher::Expression(_) if text.len() > EXPRESSION_BYTES_MAX => false,
            Matcher::Expression(expression) => expression.as_ref().is_some_and(|regex| regex.is_match(text)),
        }
    }
}

/// A text.
pub(crate) struct TextRule {
    pub(crate) length: Length,
    pub(crate) pattern: Option<Pattern>,
}

impl TextRule {
    fn check_text(&self, text: &str, echo: Echo<'_>, at: &Path<'_>, found: &mut Violations) {
        self.length.check(utf16_length(text), echo, at, found);
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
            found.add(at, echo, &Constraint::Pattern(pattern.text));
        }
    }

    fn holds(&self, text: &str) -> bool {
        let length = utf16_length(text);
        let length_fits = self.length.min <= length && length <= self.length.max;
        length_fits && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
    }

    /// As the service words them for elements of lists: maximum first.
    fn constraints(&self) -> Vec<Constraint> {
        let mut all = vec![Constraint::LengthMax(self.length.max), Constraint::LengthMin(self.length.min)];
        all.extend(self.pattern.as_ref().map(|pattern| Constraint::Pattern(pattern.text)));
        all
    }
}

fn utf16_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

impl Rule<Text<'_>> for TextRule {
    type Valid = String;

    fn check(&self, text: Text<'_>, at: &Path<'_>, found: &mut Violations) -> Option<String> {
        self.check_text(text.as_str(), Echo::Shown(&text.as_str()), at, found);
        Some(text.into_string())
    }
}

impl Rule<HiddenText> for TextRule {
    type Valid = SecretString;

    fn check(&self, text: HiddenText, at: &Path<'_>, found: &mut Violations) -> Option<SecretString> {
        self.check_text(text.0.expose_secret(), Echo::Hidden, at, found);
        Some(text.0)
    }
}

/// A blob, whose length counts after base64.
pub(crate) struct BlobRule {
    pub(crate) length: Length,
}

impl Rule<Blob> for BlobRule {
    type Valid = Vec<u8>;

    fn check(&self, blob: Blob, at: &Path<'_>, found: &mut Violations) -> Option<Vec<u8>> {
        self.length.check(blob.0.len(), Echo::Hidden, at, found);
        Some(blob.0)
    }
}

impl Rule<HiddenBlob> for BlobRule {
    type Valid = SecretBlob;

    fn check(&self, blob: HiddenBlob, at: &Path<'_>, found: &mut Violations) -> Option<SecretBlob> {
        self.length.check(blob.0.len(), Echo::Hidden, at, found);
        Some(blob.0)
    }
}

/// An integer, both ends included.
pub(crate) struct IntegerRule {
    pub(crate) min: i32,
    pub(crate) max: i32,
}

impl Rule<i32> for IntegerRule {
    type Valid = i32;

    fn check(&self, value: i32, at: &Path<'_>, found: &mut Violations) -> Option<i32> {
        if value < self.min {
            found.add(at, Echo::Shown(&value), &Constraint::ValueMin(self.min));
        }
        if value > self.max {
            found.add(at, Echo::Shown(&value), &Constraint::ValueMax(self.max));
        }
        Some(value)
    }
}

/// A member whose JSON type is all the model asks for.
pub(crate) struct Anything;

impl Rule<bool> for Anything {
    type Valid = bool;

    fn check(&self, value: bool, _: &Path<'_>, _: &mut Violations) -> Option<bool> {
        Some(value)
    }
}

impl Rule<EpochSeconds> for Anything {
    type Valid = EpochSeconds;

    fn check(&self, value: EpochSeconds, _: &Path<'_>, _: &mut Violations) -> Option<EpochSeconds> {
        Some(value)
    }
}

impl Rule<StringMap> for Anything {
    type Valid = std::collections::BTreeMap<String, String>;

    fn check(&self, value: StringMap, _: &Path<'_>, _: &mut Violations) -> Option<Self::Valid> {
        Some(value.0)
    }
}

/// A value of the enumeration `E`.
pub(crate) struct OneOf<E>(pub(crate) PhantomData<E>);

impl<E: WireEnum> Rule<Text<'_>> for OneOf<E> {
    type Valid = E;

    fn check(&self, text: Text<'_>, at: &Path<'_>, found: &mut Violations) -> Option<E> {
        let offer = found.offer();
        let value = E::from_wire(text.as_str(), offer);
        if value.is_none() {
            found.add(at, Echo::Shown(&text.as_str()), &Constraint::OneOf(E::offered(offer).collect()));
        }
        value
    }
}

/// A list of values of the enumeration `E`.
pub(crate) struct ManyOf<E> {
    pub(crate) length: Length,
    pub(crate) of: PhantomData<E>,
}

impl<E: WireEnum> Rule<Vec<Text<'_>>> for ManyOf<E> {
    type Valid = Vec<E>;

    fn check(&self, texts: Vec<Text<'_>>, at: &Path<'_>, found: &mut Violations) -> Option<Vec<E>> {
        let offer = found.offer();
        let each = || vec![Constraint::OneOf(E::offered(offer).collect())];
        let all_known = texts.iter().all(|text| E::from_wire(text.as_str(), offer).is_some());
        check_list(&texts, self.length, (!all_known).then(each), at, found);
        Some(texts.iter().filter_map(|text| E::from_wire(text.as_str(), offer)).collect())
    }
}

/// A list of texts.
pub(crate) struct TextList {
    pub(crate) length: Length,
    pub(crate) of: &'static TextRule,
}

impl Rule<Vec<Text<'_>>> for TextList {
    type Valid = Vec<String>;

    fn check(&self, texts: Vec<Text<'_>>, at: &Path<'_>, found: &mut Violations) -> Option<Vec<String>> {
        let all_hold = texts.iter().all(|text| self.of.holds(text.as_str()));
        check_list(&texts, self.length, (!all_hold).then(|| self.of.constraints()), at, found);
        Some(texts.into_iter().map(Text::into_string).collect())
    }
}

/// Elements that are no structures are reported at the list, all together; `each` is what some of them violate.
fn check_list(
    texts: &[Text<'_>],
    length: Length,
    each: Option<Vec<Constraint>>,
    at: &Path<'_>,
    found: &mut Violations,
) {
    if each.is_none() && length.min <= texts.len() && texts.len() <= length.max {
        return;
    }
    let shown: Vec<&str> = texts.iter().map(Text::as_str).collect();
    length.check(texts.len(), Echo::Shown(&Listed(&shown)), at, found);
    if let Some(each) = each {
        found.add(at, Echo::Shown(&Listed(&shown)), &Constraint::Elements(each));
    }
}

/// A structure: each of its members has its own rule.
pub(crate) struct Members;

impl<R: Check> Rule<Structure<R>> for Members {
    type Valid = R::Valid;

    fn check(&self, structure: Structure<R>, at: &Path<'_>, found: &mut Violations) -> Option<R::Valid> {
        structure.0.check(at, found)
    }
}

impl<R: Check> Rule<Vec<Structure<R>>> for Members {
    type Valid = Vec<R::Valid>;

    fn check(&self, list: Vec<Structure<R>>, at: &Path<'_>, found: &mut Violations) -> Option<Self::Valid> {
        let numbered = list.into_iter().zip(1..);
        Some(
            numbered
                .filter_map(|(element, number)| element.0.check(&Path::Element(at, number), found))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_utf16_units() {
        for (text, length) in [("", 0), ("abc", 3), ("é", 1), ("€", 1), ("😀", 2)] {
            assert_eq!(utf16_length(text), length, "{text}");
        }
    }

    #[test]
    fn expressions_match_whole_texts() {
        let digits = expression("[0-9]{2}").unwrap();
        assert!(digits.is_match("12"));
        assert!(!digits.is_match("123") && !digits.is_match("12\n"));
    }
}
