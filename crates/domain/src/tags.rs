//! Tags: the rules that the model cannot say.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::TAGS_PER_KEY_MAX;

/// Why tags are refused, with the recorded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// One key twice in a request.
    #[error("Duplicate tag keys")]
    Duplicate,
    /// A key that begins with `aws:` in any letter case.
    #[error("Tags beginning with aws: are reserved")]
    Reserved,
    /// More tags than a key may have.
    #[error("Too many tags")]
    TooMany,
}

/// Checks the tags of a request and makes a map of them.
pub fn parse(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, TagError> {
    let mut tags = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (key, value) in pairs {
        if is_reserved(&key) {
            return Err(TagError::Reserved);
        }
        if !seen.insert(key.clone()) {
            return Err(TagError::Duplicate);
        }
        tags.insert(key, value);
    }
    if tags.len() > TAGS_PER_KEY_MAX { Err(TagError::TooMany) } else { Ok(tags) }
}

/// Adds tags to those of a key: a known key gets the new value, the others stay.
pub fn add(tags: &mut BTreeMap<String, String>, new: BTreeMap<String, String>) -> Result<(), TagError> {
    let fresh = new.keys().filter(|key| !tags.contains_key(*key)).count();
    if tags.len() + fresh > TAGS_PER_KEY_MAX {
        return Err(TagError::TooMany);
    }
    tags.extend(new);
    Ok(())
}

/// Whether a tag key begins with `aws:` in any letter case.
pub fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(keys: &[&str]) -> Vec<(String, String)> {
        keys.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect()
    }

    #[test]
    fn duplicates_reserved_prefixes_and_too_many_are_refused() {
        assert_eq!(parse(pairs(&["a", "a"])), Err(TagError::Duplicate));
        for reserved in ["aws:key1", "AWS:key1", "Aws:"] {
            assert_eq!(parse(pairs(&[reserved])), Err(TagError::Reserved));
        }
        let many: Vec<_> = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(parse(many), Err(TagError::TooMany));
    }

    #[test]
    fn adding_replaces_known_keys_and_counts_only_fresh_ones() {
        let mut tags: BTreeMap<_, _> = (0..50).map(|n| (n.to_string(), "old".to_owned())).collect();
        add(&mut tags, BTreeMap::from([("7".to_owned(), "new".to_owned())])).unwrap();
        assert_eq!(tags["7"], "new");
        assert_eq!(
            add(&mut tags, BTreeMap::from([("50".to_owned(), String::new())])),
            Err(TagError::TooMany)
        );
        assert_eq!(tags.len(), 50);
    }
}
