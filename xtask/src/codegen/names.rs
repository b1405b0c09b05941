//! From names of the API to names of Rust.

/// `KeyMaterialId` → `key_material_id`, `AWSAccountId` → `aws_account_id`.
pub(super) fn snake(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (position, &character) in characters.iter().enumerate() {
        let before = position.checked_sub(1).and_then(|before| characters.get(before));
        let after = characters.get(position + 1);
        let ends_acronym =
            before.is_some_and(char::is_ascii_uppercase) && after.is_some_and(char::is_ascii_lowercase);
        let ends_word = before.is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit());
        if character.is_ascii_uppercase() && (ends_word || ends_acronym) {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// `KeyId` → `KEY_ID`.
pub(super) fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// `KeyId` → `keyId`, as paths in messages have it.
pub(super) fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

/// `RSA_2048` → `Rsa2048`; values that are camel case stay.
pub(super) fn variant(value: &str) -> String {
    // `Self` cannot be a variant.
    if value == "SELF" {
        return "Own".to_owned();
    }
    if value.chars().any(|character| character.is_ascii_lowercase()) {
        return value.to_owned();
    }
    value.split('_').map(capitalised).collect()
}

/// `KMSInvalidStateException` → `KmsInvalidState`.
pub(super) fn error_variant(name: &str) -> String {
    // A plural of an acronym cannot be told from an acronym and a word.
    let name = name.replace("CMKs", "Cmks");
    snake(name.strip_suffix("Exception").unwrap_or(&name)).split('_').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters.map(|other| other.to_ascii_lowercase())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acronyms_are_words() {
        assert_eq!(snake("AWSAccountId"), "aws_account_id");
        assert_eq!(snake("XksProxyUriPath"), "xks_proxy_uri_path");
        assert_eq!(error_variant("KMSInvalidMacException"), "KmsInvalidMac");
        assert_eq!(error_variant("CustomKeyStoreHasCMKsException"), "CustomKeyStoreHasCmks");
        assert_eq!(error_variant("MalformedQueryString"), "MalformedQueryString");
        assert_eq!(variant("RSAES_PKCS1_V1_5"), "RsaesPkcs1V15");
        assert_eq!(variant("PendingDeletion"), "PendingDeletion");
    }
}
