//! Operations: one file each, found by its name; those that are missing are recorded for users.

use super::tree::Tree;

const FOLDER: &str = "crates/service/src/operations/";
const GAPS: &str = "docs/book/known-gaps.md";

/// The families and their operations.
const FAMILIES: [(&str, &[&str]); 10] = [
    (
        "cryptographic",
        &[
            "Encrypt",
            "Decrypt",
            "ReEncrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateDataKeyPairWithoutPlaintext",
            "Sign",
            "Verify",
            "GenerateMac",
            "VerifyMac",
            "DeriveSharedSecret",
            "Encapsulate",
            "Decapsulate",
            "GenerateRandom",
        ],
    ),
    (
        "keys",
        &[
            "CreateKey",
            "DescribeKey",
            "ListKeys",
            "EnableKey",
            "DisableKey",
            "ScheduleKeyDeletion",
            "CancelKeyDeletion",
            "UpdateKeyDescription",
            "GetPublicKey",
            "GetKeyLastUsage",
        ],
    ),
    (
        "custom_key_stores",
        &[
            "CreateCustomKeyStore",
            "ConnectCustomKeyStore",
            "DisconnectCustomKeyStore",
            "DescribeCustomKeyStores",
            "UpdateCustomKeyStore",
            "DeleteCustomKeyStore",
        ],
    ),
    ("grants", &["CreateGrant", "ListGrants", "ListRetirableGrants", "RevokeGrant", "RetireGrant"]),
    (
        "rotation",
        &[
            "EnableKeyRotation",
            "DisableKeyRotation",
            "GetKeyRotationStatus",
            "ListKeyRotations",
            "RotateKeyOnDemand",
        ],
    ),
    ("aliases", &["CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases"]),
    ("policies", &["GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies"]),
    ("import", &["GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"]),
    ("tags", &["TagResource", "UntagResource", "ListResourceTags"]),
    ("replicas", &["ReplicateKey", "UpdatePrimaryRegion"]),
];

/// Handlers in files of other names, files without their handler, gaps that are not recorded or filled by now.
pub(super) fn findings(tree: &Tree) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        let Some(place) = path.strip_prefix(FOLDER) else { continue };
        for name in handlers(&source.shipped) {
            match expected(&name) {
                Some(expected) if expected != place => {
                    findings.push(format!("{path}: `{name}` belongs into {FOLDER}{expected}"));
                }
                Some(_) => {}
                None => findings.push(format!("{path}: handles `{name}`, which is no operation")),
            }
        }
    }
    for (family, names) in FAMILIES {
        findings.extend(names.iter().filter_map(|name| record_finding(tree, family, name)));
    }
    Ok(findings)
}

/// Whether an operation is either there or recorded as missing.
fn record_finding(tree: &Tree, family: &str, name: &str) -> Option<String> {
    let path = format!("{FOLDER}{family}/{}.rs", snake(name));
    let source = tree.file(&path).and_then(|file| file.source.as_ref());
    let handled =
        source.is_some_and(|source| handlers(&source.shipped).iter().any(|handler| handler == name));
    let row = format!("| `{name}` |");
    let recorded = tree.text(GAPS).unwrap_or_default().lines().any(|line| line.starts_with(&row));
    match (source.is_some(), handled, recorded) {
        (true, false, _) => Some(format!("{path}: does not handle `{name}`")),
        (_, true, true) => Some(format!("{GAPS}: lists `{name}`, which is there; remove the line")),
        (false, _, false) => Some(format!("{path}: missing, and {GAPS} does not list `{name}`")),
        _ => None,
    }
}

/// The operations whose requests a file handles.
fn handlers(code: &str) -> Vec<String> {
    let found = code.split("impl Handle for ").skip(1).map(|rest| rest.split(' ').next().unwrap_or_default());
    found.map(|request| request.strip_suffix("Request").unwrap_or(request).to_owned()).collect()
}

/// Where an operation belongs.
fn expected(name: &str) -> Option<String> {
    let (family, _) = FAMILIES.iter().find(|(_, names)| names.contains(&name))?;
    Some(format!("{family}/{}.rs", snake(name)))
}

/// `GenerateMac` as a file is named.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_56() {
        assert_eq!(FAMILIES.iter().map(|(_, names)| names.len()).sum::<usize>(), 56);
    }

    #[test]
    fn the_table_knows_the_same_operations() {
        let tree = Tree::read(&crate::process::root()).unwrap();
        let table = tree.text("crates/domain/src/operations.rs").unwrap();
        let missing: Vec<_> = FAMILIES
            .iter()
            .flat_map(|(_, names)| *names)
            .filter(|name| !table.contains(&format!("Op::{name} ")))
            .collect();
        // Two names are so long that their row goes on in the next line.
        assert!(missing.iter().all(|name| table.contains(&format!("Op::{name}\n"))), "{missing:?}");
    }

    #[test]
    fn a_handler_in_another_file_is_found() {
        let tree =
            Tree::of(&[("crates/service/src/operations/keys/sign.rs", "impl Handle for SignRequest {}")]);
        let findings = findings(&tree).unwrap();
        assert!(findings.iter().any(|finding| finding.contains("cryptographic/sign.rs")), "{findings:?}");
    }

    #[test]
    fn an_operation_is_there_or_recorded_as_missing() {
        let handler =
            ("crates/service/src/operations/cryptographic/sign.rs", "impl Handle for SignRequest {}");
        let about_sign = |files: &[(&str, &str)]| record_finding(&Tree::of(files), "cryptographic", "Sign");
        assert!(about_sign(&[]).is_some());
        assert!(about_sign(&[handler]).is_none());
        assert!(about_sign(&[(GAPS, "| `Sign` | keys |\n")]).is_none());
        assert!(about_sign(&[handler, (GAPS, "| `Sign` | keys |\n")]).is_some());
    }
}
