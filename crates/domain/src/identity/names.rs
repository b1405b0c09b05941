//! What identities may be called, and the ARNs that follow from it. The rules are those of IAM.

use crate::identifier::AccountId;
use crate::limits::{
    GROUP_NAME_CHARACTERS_MAX, MFA_DEVICE_NAME_CHARACTERS_MAX, POLICY_NAME_CHARACTERS_MAX,
    PRINCIPAL_NAME_CHARACTERS_MAX, PRINCIPAL_PATH_CHARACTERS_MAX, SESSION_NAME_CHARACTERS_MAX,
    SESSION_NAME_CHARACTERS_MIN,
};

/// The full name of an account's root, `arn:aws:iam::<account>:root`.
pub fn root_arn(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// The full name of what IAM has: `arn:aws:iam::<account>:<kind><path><name>`.
pub fn iam_arn(account: AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// The full name of a session of a role. It has no path.
pub fn session_arn(account: AccountId, role: &str, session: &str) -> String {
    format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
}

/// Account, path and name in the ARN of a role.
pub fn parse_role_arn(arn: &str) -> Option<(AccountId, &str, &str)> {
    let (account, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    let full = resource.strip_prefix("role")?;
    let (path, name) = full.split_at(full.rfind('/')? + 1);
    let sound = is_principal_name(name) && is_path(path);
    sound.then_some((account.parse().ok()?, path, name))
}

/// The ARN of a provider's URL: without its scheme.
pub fn provider_arn(account: AccountId, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", provider_name(url))
}

/// What a provider's condition keys begin with: its URL without the scheme.
pub fn provider_name(url: &str) -> &str {
    let name = url.split_once("://").map_or(url, |(_, name)| name);
    name.strip_suffix('/').unwrap_or(name)
}

/// Whether `name` may be that of a user or a role: 1 to 64 of `[\w+=,.@-]`.
pub fn is_principal_name(name: &str) -> bool {
    has_characters(name, 1, PRINCIPAL_NAME_CHARACTERS_MAX)
}

/// Whether `name` may be that of a group: 1 to 128 of `[\w+=,.@-]`.
pub fn is_group_name(name: &str) -> bool {
    has_characters(name, 1, GROUP_NAME_CHARACTERS_MAX)
}

/// Whether `name` may be that of a policy: 1 to 128 of `[\w+=,.@-]`.
pub fn is_policy_name(name: &str) -> bool {
    has_characters(name, 1, POLICY_NAME_CHARACTERS_MAX)
}

/// Whether `name` may be that of a device for one-time codes: 1 to 226 of `[\w+=,.@-]`.
pub fn is_mfa_device_name(name: &str) -> bool {
    has_characters(name, 1, MFA_DEVICE_NAME_CHARACTERS_MAX)
}

/// Whether `name` may be that of a role's session: 2 to 64 of `[\w+=,.@-]`.
pub fn is_session_name(name: &str) -> bool {
    has_characters(name, SESSION_NAME_CHARACTERS_MIN, SESSION_NAME_CHARACTERS_MAX)
}

fn has_characters(name: &str, min: usize, max: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (min..=max).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether `path` may be a path: `/` or `/…/`, printable, at most 512.
pub fn is_path(path: &str) -> bool {
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let ends = path.starts_with('/') && path.ends_with('/') && !path.contains("//");
    printable && path.len() <= PRINCIPAL_PATH_CHARACTERS_MAX && ends
}

/// Whether `id` has the form of an access key id: 16 to 128 of `[A-Za-z0-9_]`.
pub fn is_access_key_id(id: &str) -> bool {
    (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether `id` has the form of a unique id of this kind: the four letters and 17 of base 32.
pub fn is_unique_id(id: &str, prefix: &str) -> bool {
    id.len() == 21
        && id.starts_with(prefix)
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether `name` may be that of a service: labels of `[a-z0-9-]` joined by dots, two at least.
pub fn is_service_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= 128 && name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_follow_iam() {
        assert!(is_principal_name("alice@example.com"));
        assert!(!is_principal_name(""));
        assert!(!is_principal_name("a b"));
        assert!(!is_principal_name(&"a".repeat(65)));
        assert!(is_group_name(&"a".repeat(128)));
        assert!(!is_session_name("a"));
        assert!(is_path("/"));
        assert!(is_path("/eng/core/"));
        assert!(!is_path("/eng"));
        assert!(!is_path("eng/"));
        assert!(!is_path("//"));
    }

    #[test]
    fn the_arn_of_a_role_is_read_back() {
        let account: AccountId = "111122223333".parse().unwrap();
        for (path, name) in [("/", "app"), ("/eng/core/", "app")] {
            let arn = iam_arn(account, "role", path, name);
            assert_eq!(parse_role_arn(&arn), Some((account, path, name)), "{arn}");
        }
        for other in [
            "",
            "app",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role",
            "arn:aws:iam::111122223333:roleapp",
            "arn:aws:iam::111122223333:user/app",
            "arn:aws:iam::1:role/app",
            "arn:aws:iam::111122223333:role//app",
        ] {
            assert_eq!(parse_role_arn(other), None, "{other}");
        }
    }

    #[test]
    fn providers_are_named_without_their_scheme() {
        assert_eq!(provider_name("https://issuer.example.com/a/"), "issuer.example.com/a");
        assert_eq!(provider_name("http://127.0.0.1:99"), "127.0.0.1:99");
    }

    #[test]
    fn services_have_dotted_names() {
        for good in ["s3.amazonaws.com", "backup.trent.internal"] {
            assert!(is_service_name(good), "{good}");
        }
        for bad in ["", "s3", "S3.amazonaws.com", "a..b", ".a", "a.b/c"] {
            assert!(!is_service_name(bad), "{bad}");
        }
    }
}
