//! `trent admin xks-store` and `xks-key`: commands for the proxy that runs.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::SecretBytes;
use trent_domain::secret::Secret;
use trent_xks_proxy::{Command, KeyLine, Reply, Rules, TokenKey};

use super::table;
use crate::arguments::{RulesArguments, TokenArguments, XksKeyCommand, XksStoreCommand};
use crate::failure::misuse;

pub(super) fn store(command: XksStoreCommand) -> Command {
    match command {
        XksStoreCommand::List => Command::ListStores {},
        XksStoreCommand::Add { name, path, quota, rules: given } => {
            let path = path.unwrap_or_else(|| format!("/{name}/kms/xks/v1"));
            Command::AddStore { name, path, quota, rules: rules(given) }
        }
        XksStoreCommand::SetQuota { name, quota } => {
            Command::SetStore { name, quota: Some(quota), rules: None }
        }
        XksStoreCommand::SetRules { name, rules: given } => {
            Command::SetStore { name, quota: None, rules: Some(rules(given)) }
        }
        XksStoreCommand::Delete { name } => Command::DeleteStore { name },
        XksStoreCommand::AddCredential { name } => Command::AddCredential { store: name },
        XksStoreCommand::DeleteCredential { name, id } => Command::DeleteCredential { store: name, id },
    }
}

pub(super) fn key(command: XksKeyCommand) -> Result<Command> {
    Ok(match command {
        XksKeyCommand::List { store } => Command::ListKeys { store },
        XksKeyCommand::Describe(key) => Command::DescribeKey { store: key.store, id: key.id },
        XksKeyCommand::Add { store, id, mut usage, import, token, rules: given } => {
            if usage.is_empty() {
                usage = vec!["encrypt".to_owned(), "decrypt".to_owned()];
            }
            // A key for nothing is there to test whoever uses it.
            usage.retain(|usage| usage != "none");
            let (rules, material) = (rules(given), material(import.as_deref())?);
            Command::AddKey { store, id, usage, rules, material, token: token_key(token) }
        }
        XksKeyCommand::Rotate { key, import, token } => {
            let (material, token) = (material(import.as_deref())?, token_key(token));
            Command::RotateKey { store: key.store, id: key.id, material, token }
        }
        XksKeyCommand::SetRules { key, rules: given } => {
            Command::SetKeyRules { store: key.store, id: key.id, rules: rules(given) }
        }
        XksKeyCommand::Enable(key) => Command::EnableKey { store: key.store, id: key.id },
        XksKeyCommand::Disable(key) => Command::DisableKey { store: key.store, id: key.id },
        XksKeyCommand::Delete { key, window_days } => {
            Command::DeleteKey { store: key.store, id: key.id, window_days }
        }
        XksKeyCommand::CancelDeletion(key) => Command::CancelKeyDeletion { store: key.store, id: key.id },
    })
}

fn token_key(given: TokenArguments) -> Option<TokenKey> {
    let TokenArguments { token, token_key_label: label, token_key_id: id } = given;
    Some(TokenKey { token: token?, id, label })
}

fn rules(given: RulesArguments) -> Rules {
    let RulesArguments {
        allow_principal,
        allow_key_arn,
        allow_operation,
        allow_region,
        allow_source_vpc,
        allow_source_vpce,
    } = given;
    Rules {
        principals: allow_principal,
        key_arns: allow_key_arn,
        operations: allow_operation,
        regions: allow_region,
        source_vpcs: allow_source_vpc,
        source_vpces: allow_source_vpce,
    }
}

/// The content of a file with key material.
fn material(file: Option<&Path>) -> Result<Option<Secret>> {
    let Some(file) = file else { return Ok(None) };
    let shown = file.display();
    let bytes = fs::read(file).map(SecretBytes::from).map_err(|error| misuse(format!("{shown}: {error}")))?;
    let length = bytes.expose().len();
    ensure!(length == 32, misuse(format!("{shown} has {length} bytes; key material has 32")));
    Ok(Some(STANDARD.encode(bytes.expose()).into()))
}

/// A reply for people.
pub(super) fn text(reply: Reply) -> String {
    match reply {
        Reply::Stores { stores } => table(
            ["STORE", "PATH", "KEYS", "QUOTA", "CREDENTIALS", "RULES"],
            stores.into_iter().map(|line| {
                let credentials: Vec<_> =
                    line.credentials.into_iter().map(|line| line.access_key_id).collect();
                let quota = if line.quota == 0 { "none".to_owned() } else { line.quota.to_string() };
                [
                    line.name,
                    line.path,
                    line.keys.to_string(),
                    quota,
                    credentials.join(","),
                    words(&line.rules),
                ]
            }),
        ),
        Reply::Keys { keys } => table(
            ["STORE", "KEY", "STATUS", "USAGE", "VERSION", "RULES"],
            keys.into_iter().map(|line| {
                let (version, rules, status) = (version(&line), words(&line.rules), status(&line));
                [line.store, line.id, status, line.usage.join(","), version, rules]
            }),
        ),
        Reply::NewCredential { path, access_key_id, secret, store } => format!(
            "Path             {path}\nAccess key id    {access_key_id}\nSecret           {}\n`trent xks-proxy \
             config --store {store}` writes the file that a console takes.\n",
            secret.expose()
        ),
        Reply::Configuration { file } => file.into(),
        Reply::Done => "Done.\n".to_owned(),
        Reply::Refused { problem } => format!("{problem}\n"),
    }
}

fn version(line: &KeyLine) -> String {
    let version = line.version;
    match &line.token {
        Some(TokenKey { token, id, label }) => {
            let names = [label.as_ref().map(|label| format!("`{label}`")), id.clone()];
            let key = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
            format!("{version} in token {token}: {key}")
        }
        None if line.imported => format!("{version} imported"),
        None => version.to_string(),
    }
}

fn status(line: &KeyLine) -> String {
    match line.delete_at {
        // The time itself is in the JSON; people want to know how long they have.
        Some(at) => format!("{} at {}", line.status, at.div_euclid(1000)),
        None => line.status.clone(),
    }
}

fn words(rules: &Rules) -> String {
    let lists = [
        ("principals", &rules.principals),
        ("key-arns", &rules.key_arns),
        ("operations", &rules.operations),
        ("regions", &rules.regions),
    ];
    let told: Vec<_> = lists
        .into_iter()
        .filter(|(_, patterns)| !patterns.is_empty())
        .map(|(name, patterns)| format!("{name}={}", patterns.join("|")))
        .collect();
    if told.is_empty() { "all allowed".to_owned() } else { told.join(" ") }
}
