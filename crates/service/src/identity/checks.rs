//! What a record must be by itself: named as IAM allows, no longer than IAM allows. Whether what it refers to is
//! there is found when everything is put together.

use std::collections::{BTreeMap, BTreeSet};

use trent_domain::identity::{
    OidcProvider, ProviderKeys, Record, Rights, Role, User, is_group_name, is_mfa_device_name, is_path,
    is_policy_name, is_principal_name,
};
use trent_domain::limits::{
    ATTACHED_POLICIES_MAX, CLIENT_IDS_PER_PROVIDER_MAX, GROUP_INLINE_CHARACTERS_MAX, GROUPS_PER_USER_MAX,
    MANAGED_POLICY_CHARACTERS_MAX, ROLE_INLINE_CHARACTERS_MAX, ROLE_SESSION_SECONDS_DEFAULT,
    ROLE_SESSION_SECONDS_MAX, TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX, TAGS_PER_PRINCIPAL_MAX,
    TRUST_POLICY_CHARACTERS_MAX, USER_INLINE_CHARACTERS_MAX,
};
use trent_domain::tags::is_reserved;
use trent_jwt::KeySet;

use super::documents::counted;
use super::problem::IdentityProblem;

const PRINCIPAL_NAME: &str = "is no name: 1 to 64 of A-Z a-z 0-9 + = , . @ - _";
const LONG_NAME: &str = "is no name: 1 to 128 of A-Z a-z 0-9 + = , . @ - _";
pub(crate) const DEVICE_NAME: &str = "is no name: 1 to 226 of A-Z a-z 0-9 + = , . @ - _";

/// Checks one record.
pub(crate) fn check(record: &Record) -> Result<(), IdentityProblem> {
    let found = match record {
        Record::User(user) => check_user(user),
        Record::Group(group) => check_name(&group.name, is_group_name, LONG_NAME)
            .and_then(|()| check_path(&group.path))
            .and_then(|()| check_rights(&group.rights, GROUP_INLINE_CHARACTERS_MAX)),
        Record::Role(role) => check_role(role),
        Record::Policy(policy) => check_name(&policy.name, is_policy_name, LONG_NAME)
            .and_then(|()| check_path(&policy.path))
            .and_then(|()| at_most("the policy", &policy.document, MANAGED_POLICY_CHARACTERS_MAX)),
        Record::OidcProvider(provider) => check_provider(provider),
        Record::ApiToken(_) => Ok(()),
        Record::MfaDevice(device) => check_name(&device.name, is_mfa_device_name, DEVICE_NAME),
    };
    found.map_err(|text| IdentityProblem::new(record.record_name(), text))
}

type Checked = Result<(), String>;

fn check_user(user: &User) -> Checked {
    check_name(&user.name, is_principal_name, PRINCIPAL_NAME)?;
    check_path(&user.path)?;
    check_rights(&user.rights, USER_INLINE_CHARACTERS_MAX)?;
    check_tags(&user.tags)?;
    match user.groups.len() {
        count if count > GROUPS_PER_USER_MAX => {
            Err(format!("it is in {count} groups; a user may be in {GROUPS_PER_USER_MAX}"))
        }
        _ => Ok(()),
    }
}

fn check_role(role: &Role) -> Checked {
    check_name(&role.name, is_principal_name, PRINCIPAL_NAME)?;
    check_path(&role.path)?;
    check_rights(&role.rights, ROLE_INLINE_CHARACTERS_MAX)?;
    check_tags(&role.tags)?;
    at_most("the trust policy", &role.trust, TRUST_POLICY_CHARACTERS_MAX)?;
    let (min, max) = (ROLE_SESSION_SECONDS_DEFAULT, ROLE_SESSION_SECONDS_MAX);
    if !(min..=max).contains(&role.max_session_seconds) {
        let has = role.max_session_seconds;
        return Err(format!("its sessions last at most {has} seconds; that must be from {min} to {max}"));
    }
    Ok(())
}

fn check_provider(provider: &OidcProvider) -> Checked {
    check_url(&provider.url)?;
    let count = provider.client_ids.len();
    if count > CLIENT_IDS_PER_PROVIDER_MAX {
        return Err(format!("it has {count} client ids; {CLIENT_IDS_PER_PROVIDER_MAX} are allowed"));
    }
    match &provider.keys {
        ProviderKeys::Discovery => Ok(()),
        ProviderKeys::Fixed(text) => {
            KeySet::parse(text).map(drop).map_err(|error| format!("its JSON Web Key Set: {error}"))
        }
    }
}

/// A provider is asked over HTTPS; over plain HTTP only where nobody is in between.
fn check_url(url: &str) -> Checked {
    const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    let is_loopback = LOOPBACK.iter().any(|start| url.strip_prefix(start).is_some_and(ends));
    let is_https =
        url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let printable = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['?', '#', '@']);
    if (is_https || is_loopback) && printable && url.len() <= 255 {
        return Ok(());
    }
    Err("its URL must be https://HOST[:PORT][/PATH], or http:// on this machine".to_owned())
}

fn check_name(name: &str, is_name: fn(&str) -> bool, problem: &str) -> Checked {
    if is_name(name) { Ok(()) } else { Err(format!("`{name}` {problem}")) }
}

fn check_path(path: &str) -> Checked {
    if is_path(path) { Ok(()) } else { Err(format!("`{path}` is no path: / or /…/")) }
}

fn check_rights(rights: &Rights, inline_max: usize) -> Checked {
    let attached = rights.policies.len();
    if attached > ATTACHED_POLICIES_MAX {
        return Err(format!("{attached} policies are attached; {ATTACHED_POLICIES_MAX} are allowed"));
    }
    let mut names = BTreeSet::new();
    for inline in &rights.inline {
        check_name(&inline.name, is_policy_name, LONG_NAME)?;
        if !names.insert(&inline.name) {
            return Err(format!("inline policy `{}` is there twice", inline.name));
        }
    }
    let characters = rights.inline.iter().map(|inline| counted(&inline.document)).sum::<usize>();
    if characters > inline_max {
        return Err(format!(
            "its inline policies have {characters} characters together; {inline_max} are allowed: make a managed policy"
        ));
    }
    Ok(())
}

/// Tags of a user, a role or a session.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Checked {
    if tags.len() > TAGS_PER_PRINCIPAL_MAX {
        return Err(format!("{} tags; {TAGS_PER_PRINCIPAL_MAX} are allowed", tags.len()));
    }
    let mut folded = BTreeSet::new();
    if !tags.keys().all(|key| folded.insert(key.to_lowercase())) {
        return Err("Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned());
    }
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for (key, value) in tags {
        let lengths = (1..=TAG_KEY_CHARACTERS_MAX).contains(&key.chars().count())
            && value.chars().count() <= TAG_VALUE_CHARACTERS_MAX;
        if !lengths || !key.chars().all(allowed) || !value.chars().all(allowed) {
            let max = (TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX);
            return Err(format!(
                "tag `{key}`: keys have 1 to {} and values up to {} letters, digits, spaces and _ . : / = + - @",
                max.0, max.1
            ));
        }
        if is_reserved(key) {
            return Err(format!("tag `{key}`: keys that begin with aws: are reserved"));
        }
    }
    Ok(())
}

fn at_most(what: &str, document: &str, max: usize) -> Checked {
    let count = counted(document);
    if count > max { Err(format!("{what} has {count} characters; {max} are allowed")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_tags_that_differ_in_case_alone_are_duplicates() {
        let tags = |keys: [&str; 2]| keys.map(|key| (key.to_owned(), String::new())).into();
        assert_eq!(check_tags(&tags(["Department", "Departments"])), Ok(()));
        for keys in [["Department", "department"], ["Straße", "STRAßE"]] {
            assert!(check_tags(&tags(keys)).unwrap_err().starts_with("Duplicate tag keys found."));
        }
    }
}
