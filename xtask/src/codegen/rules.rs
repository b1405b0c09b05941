//! Constraints of values as constants, one for each kind of value that occurs in requests.

use anyhow::{Context, bail};

use super::model::{Model, Value, ValueKind};
use super::names;

pub(super) fn generate(model: &Model) -> anyhow::Result<String> {
    let input = model.input_shapes()?;
    let mut rules = String::new();
    for (name, value) in model.values.0.iter().filter(|(name, _)| input.contains(name)) {
        rules += &rule(name, value)?;
    }
    Ok(format!(
        "//! Constraints of values.

        use std::sync::LazyLock;

        use regex_lite::Regex;

        use crate::rules::{{BlobRule, IntegerRule, Length, Matcher, Pattern, TextRule, expression}};

        {rules}"
    ))
}

fn rule(name: &str, value: &Value) -> anyhow::Result<String> {
    let constant = names::constant(name);
    let length = length(value.min, value.max);
    Ok(match value.kind {
        ValueKind::Boolean | ValueKind::Timestamp | ValueKind::StringMap => String::new(),
        ValueKind::Blob => {
            format!("pub(crate) static {constant}: BlobRule = BlobRule {{ length: {length} }};\n\n")
        }
        ValueKind::Integer => {
            let (min, max) = (value.min.context("an integer needs `min`")?, value.max.context("and `max`")?);
            format!(
                "pub(crate) static {constant}: IntegerRule = IntegerRule {{ min: {min}, max: {max} }};\n\n"
            )
        }
        ValueKind::String => text_rule(&constant, &length, value.pattern.as_deref())?,
    })
}

fn text_rule(constant: &str, length: &str, pattern: Option<&str>) -> anyhow::Result<String> {
    let Some(text) = pattern else {
        return Ok(format!(
            "pub(crate) static {constant}: TextRule = TextRule {{ length: {length}, pattern: None }};\n\n"
        ));
    };
    let (matcher, expression) = match character_set(text)? {
        Some(set) => (set, String::new()),
        None => (
            format!("Matcher::Expression(&{constant}_PATTERN)"),
            format!(
                "static {constant}_PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| expression(r\"{text}\"));\n\n"
            ),
        ),
    };
    Ok(format!(
        "pub(crate) static {constant}: TextRule = TextRule {{
            length: {length},
            pattern: Some(Pattern {{ text: r\"{text}\", matcher: {matcher} }}),
        }};\n\n{expression}"
    ))
}

/// A length rule; absent bounds are those of the type.
pub(super) fn length(min: Option<u64>, max: Option<u64>) -> String {
    let max = max.map_or("usize::MAX".to_owned(), |max| max.to_string());
    format!("Length {{ min: {}, max: {max} }}", min.unwrap_or(0))
}

/// The matcher for a pattern which is one set, repeated: `^[a-f0-9]+$`. Such sets are matched without an engine,
/// which matters for policies of 128 KiB.
fn character_set(pattern: &str) -> anyhow::Result<Option<String>> {
    let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('$').unwrap_or(pattern);
    let Some((set, repeat)) = pattern.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return Ok(None);
    };
    let may_be_empty = match repeat {
        "*" => true,
        "+" => false,
        _ => return Ok(None),
    };
    let ranges = ranges(set)?.join(" | ");
    Ok(Some(format!(
        "Matcher::Characters {{ in_set: |c| matches!(c, {ranges}), may_be_empty: {may_be_empty} }}"
    )))
}

fn ranges(set: &str) -> anyhow::Result<Vec<String>> {
    let mut ranges = Vec::new();
    let mut rest = set;
    while !rest.is_empty() {
        let (first, after) = item(rest)?;
        let range_end = after.strip_prefix('-').filter(|end| !end.is_empty());
        let (Item::One(start), Some(end)) = (&first, range_end) else {
            ranges.push(first.to_code());
            rest = after;
            continue;
        };
        let (Item::One(end), after) = item(end)? else {
            bail!("a range ends in a class: `{set}`");
        };
        ranges.push(format!("{start:?}..={end:?}"));
        rest = after;
    }
    Ok(ranges)
}

enum Item {
    One(char),
    Class(&'static str),
}

impl Item {
    fn to_code(&self) -> String {
        match self {
            Self::One(character) => format!("{character:?}"),
            Self::Class(code) => (*code).to_owned(),
        }
    }
}

fn item(set: &str) -> anyhow::Result<(Item, &str)> {
    let mut characters = set.chars();
    let first = characters.next().context("empty set")?;
    if first != '\\' {
        return Ok((Item::One(first), characters.as_str()));
    }
    let escaped = characters.next().context("lone backslash")?;
    let rest = characters.as_str();
    match escaped {
        'w' => Ok((Item::Class("'a'..='z' | 'A'..='Z' | '0'..='9' | '_'"), rest)),
        's' => Ok((Item::Class("' ' | '\\t' | '\\n' | '\\x0B' | '\\x0C' | '\\r'"), rest)),
        'u' => {
            let (digits, rest) = rest.split_at_checked(4).context("short \\u escape")?;
            let character = char::from_u32(u32::from_str_radix(digits, 16)?).context("half a character")?;
            Ok((Item::One(character), rest))
        }
        punctuation if punctuation.is_ascii_punctuation() => Ok((Item::One(punctuation), rest)),
        other => bail!("unknown escape `\\{other}` in a set"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_become_ranges() {
        assert_eq!(ranges("a-f0-9").unwrap(), ["'a'..='f'", "'0'..='9'"]);
        assert_eq!(ranges("0-9-_.").unwrap(), ["'0'..='9'", "'-'", "'_'", "'.'"]);
        assert_eq!(ranges("+:/-").unwrap(), ["'+'", "':'", "'/'", "'-'"]);
        assert_eq!(ranges("\\u0020-\\u00FF\\/").unwrap(), ["' '..='ÿ'", "'/'"]);
    }

    #[test]
    fn only_single_repeated_sets_are_sets() {
        assert!(character_set("^[a-z]+$").unwrap().is_some());
        for pattern in ["[0-9]{12}", "^([a-z]+-){2,3}\\d+$", "[a]+[b]+"] {
            assert!(character_set(pattern).unwrap().is_none(), "{pattern}");
        }
    }
}
