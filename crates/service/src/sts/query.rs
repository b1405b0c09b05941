//! The Query protocol: parameters of a query string or a form, and what they must be.

use std::collections::BTreeMap;

use super::error::StsError;

/// Most parameters that are looked at.
const PARAMETERS_MAX: usize = 1_000;

/// The parameters of a request. Those of a presigned signature are among them and mean nothing here.
#[derive(Debug, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a query string or the body of a form; `None` if it is not one. Of two of a name the last counts.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parameters = BTreeMap::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at(at);
            parameters.insert(decode(name)?, decode(value.get(1..).unwrap_or_default())?);
            if parameters.len() > PARAMETERS_MAX {
                return None;
            }
        }
        Some(Self(parameters))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The members of a list, `<name>.member.<number>`, in order; each with what stands behind its number.
    fn members(&self, name: &str) -> BTreeMap<u32, BTreeMap<&str, &str>> {
        let start = format!("{name}.member.");
        let mut members: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (full, value) in self.0.range(start.clone()..) {
            let Some(rest) = full.strip_prefix(&start) else { break };
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                members.entry(number).or_default().insert(field, value);
            }
        }
        members
    }

    /// A list of texts, or of structures of which this field counts.
    pub(super) fn list(&self, name: &str, field: &str) -> Vec<String> {
        let members = self.members(name).into_values();
        members.filter_map(|fields| fields.get(field).map(|value| (*value).to_owned())).collect()
    }

    /// Pairs of key and value.
    pub(super) fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let members = self.members(name).into_values();
        let text = |fields: &BTreeMap<&str, &str>, name| (*fields.get(name).unwrap_or(&"")).to_owned();
        members.map(|fields| (text(&fields, "Key"), text(&fields, "Value"))).collect()
    }
}

/// Percent escapes and `+` for a space; `None` for broken escapes and what is not UTF-8.
fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(*rest.next()?)? << 4 | digit(*rest.next()?)?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Collects what is wrong with parameters, to tell all of it at once.
#[derive(Debug, Default)]
pub(super) struct Constraints(Vec<String>);

/// What a text must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextRule {
    pub(super) min: usize,
    pub(super) max: usize,
    /// Which characters, of those that may not be any.
    pub(super) characters: Option<Pattern>,
}

/// Characters, and the pattern that says so.
pub(super) type Pattern = (fn(char) -> bool, &'static str);

impl TextRule {
    /// A text of this length, of any characters.
    pub(super) const fn of_length(min: usize, max: usize) -> Self {
        Self { min, max, characters: None }
    }

    /// A name of this length: `[\w+=,.@-]`.
    pub(super) const fn name(min: usize, max: usize) -> Self {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        Self { min, max, characters: Some((allowed, r"[\w+=,.@-]*")) }
    }
}

impl Constraints {
    fn add(&mut self, value: &str, name: &str, constraint: impl std::fmt::Display) {
        self.0.push(format!("Value {value} at '{name}' failed to satisfy constraint: {constraint}"));
    }

    /// A text that must be there.
    pub(super) fn required<'f>(&mut self, form: &'f Form, name: &str, rule: TextRule) -> &'f str {
        match form.get(name) {
            Some(value) => {
                self.check(value, &member(name), rule);
                value
            }
            None => {
                self.add("null", &member(name), "Member must not be null");
                ""
            }
        }
    }

    /// A text that may be absent.
    pub(super) fn optional<'f>(&mut self, form: &'f Form, name: &str, rule: TextRule) -> Option<&'f str> {
        let value = form.get(name)?;
        self.check(value, &member(name), rule);
        Some(value)
    }

    /// Any text, under the name that messages have for it.
    pub(super) fn check(&mut self, value: &str, name: &str, TextRule { min, max, characters }: TextRule) {
        let (length, shown) = (value.chars().count(), format!("'{value}'"));
        if length < min {
            self.add(&shown, name, format_args!("Member must have length greater than or equal to {min}"));
        }
        if length > max {
            self.add(&shown, name, format_args!("Member must have length less than or equal to {max}"));
        }
        let Some((allowed, pattern)) = characters else { return };
        if !value.chars().all(allowed) {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            self.add(&shown, name, constraint);
        }
    }

    /// `DurationSeconds`.
    pub(super) fn duration(&mut self, form: &Form, min: u32, max: u32) -> Option<u32> {
        let (text, name) = (form.get("DurationSeconds")?, "durationSeconds");
        let Ok(seconds) = text.parse::<u32>() else {
            self.add(&format!("'{text}'"), name, "Member must be an integer");
            return None;
        };
        if seconds < min {
            let constraint = format!("Member must have value greater than or equal to {min}");
            self.add(&format!("'{seconds}'"), name, constraint);
        }
        if seconds > max {
            let constraint = format!("Member must have value less than or equal to {max}");
            self.add(&format!("'{seconds}'"), name, constraint);
        }
        Some(seconds)
    }

    /// A list that may be no longer than this.
    pub(super) fn at_most<T>(&mut self, list: &[T], name: &str, max: usize) {
        if list.len() > max {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.add(&format!("'{} members'", list.len()), name, constraint);
        }
    }

    pub(super) fn finish(self) -> Result<(), StsError> {
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        match self.0.len() {
            0 => Ok(()),
            count => Err(StsError::validation(format!(
                "{count} validation {errors} detected: {}",
                self.0.join("; ")
            ))),
        }
    }
}

/// The name of a parameter as messages have it: with a small letter first.
fn member(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let form = Form::parse(b"Action=AssumeRole&A=%C3%A4+b%2b&Empty=&Bare&&A=last").unwrap();
        assert_eq!(form.get("Action"), Some("AssumeRole"));
        assert_eq!((form.get("A"), form.get("Empty"), form.get("Bare")), (Some("last"), Some(""), Some("")));
        assert_eq!(Form::parse(b"a=%C3%A4+b%2b").unwrap().get("a"), Some("\u{e4} b+"));
        for broken in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"%=a"] {
            assert!(Form::parse(broken).is_none(), "{broken:?}");
        }
    }

    #[test]
    fn lists_are_in_order_of_their_numbers() {
        let text = b"T.member.10.Key=c&T.member.2.Key=b&T.member.1.Key=a&T.member.1.Value=1&K.member.1=x&K.member.z=y&T=no";
        let form = Form::parse(text).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(form.pairs("T"), [pair("a", "1"), pair("b", ""), pair("c", "")]);
        assert_eq!(form.list("K", ""), ["x"]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let form = Form::parse(b"RoleSessionName=a%20&DurationSeconds=1").unwrap();
        let mut constraints = Constraints::default();
        constraints.required(&form, "RoleArn", TextRule::of_length(20, 2048));
        constraints.required(&form, "RoleSessionName", TextRule::name(2, 64));
        constraints.duration(&form, 900, 3600);
        let told = constraints.finish().unwrap_err().message;
        assert_eq!(
            told,
            "3 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be \
             null; Value 'a ' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: [\\w+=,.@-]*; Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value \
             greater than or equal to 900"
        );
    }
}
