//! `trent admin`: commands for the server that runs, through the socket in its data directory.

mod clusters;
mod dev;
mod identities;
mod key_stores;
mod orphans;
mod xks;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use trent_domain::identity::Owner;
use trent_service::admin::{Command, Reply};

use super::policy::explain;
use crate::admin_socket::ask;
use crate::arguments::{AdminArguments, AdminCommand, KeyStoreCommand, SessionKeyCommand};
use crate::config::Environment;
use crate::dev::DevCommand;

pub(crate) fn run(arguments: AdminArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.load(environment)?;
    let (dir, proxy_dir) = (&config.data.dir, config.xks_proxy_dir());
    let json = arguments.json;
    let text = match arguments.command {
        AdminCommand::Clock(words) => {
            tell(ask(dir, &DevCommand::from(words))?, json, |reply| dev::text(&reply))?
        }
        AdminCommand::Fault(words) => {
            tell(ask(dir, &DevCommand::from(words))?, json, |reply| dev::text(&reply))?
        }
        AdminCommand::Cluster(words) => {
            let (findings, is_well) = clusters::run(&words, &config.hsm)?;
            let text = tell(findings, json, clusters::text)?;
            io::stdout().write_all(text.as_bytes())?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        AdminCommand::KeyStore(KeyStoreCommand::Orphans(words)) if words.destroy => {
            let (done, is_well) = orphans::destroy(dir, &words)?;
            io::stdout().write_all(tell(done, json, text)?.as_bytes())?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        AdminCommand::KeyStore(words) => tell(ask(dir, &key_stores::command(words)?)?, json, text)?,
        AdminCommand::XksStore(words) => tell(ask(&proxy_dir, &xks::store(words))?, json, xks::text)?,
        AdminCommand::XksKey(words) => tell(ask(&proxy_dir, &xks::key(words)?)?, json, xks::text)?,
        AdminCommand::Account(words) => tell(ask(dir, &identities::account(words))?, json, text)?,
        AdminCommand::User(words) => tell(ask(dir, &identities::user(words)?)?, json, text)?,
        AdminCommand::Group(words) => tell(ask(dir, &identities::group(words)?)?, json, text)?,
        AdminCommand::Role(words) => tell(ask(dir, &identities::role(words)?)?, json, text)?,
        AdminCommand::Policy(words) => tell(ask(dir, &identities::policy(words)?)?, json, text)?,
        AdminCommand::OidcProvider(words) => tell(ask(dir, &identities::oidc_provider(words)?)?, json, text)?,
        AdminCommand::SessionKey(SessionKeyCommand::Rotate) => {
            tell(ask(dir, &Command::RotateSessionKey {})?, json, text)?
        }
        AdminCommand::Token(words) => tell(ask(dir, &identities::token(words))?, json, text)?,
        AdminCommand::MfaDevice(words) => tell(ask(dir, &identities::mfa_device(words))?, json, text)?,
        AdminCommand::AccessKey(words) => tell(ask(dir, &identities::access_key(words))?, json, text)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A reply as JSON, or for people.
fn tell<R: Serialize>(reply: R, json: bool, text: impl FnOnce(R) -> String) -> Result<String> {
    Ok(if json { serde_json::to_string(&reply)? + "\n" } else { text(reply) })
}

/// A reply for people.
fn text(reply: Reply) -> String {
    match reply {
        Reply::Accounts { accounts } => table(
            ["ACCOUNT", "NAME", "STATUS", "MANAGED BY"],
            accounts.into_iter().map(|line| {
                [line.id.to_string(), line.name, line.status.to_string(), line.managed.to_string()]
            }),
        ),
        Reply::Users { users } => table(
            ["USER", "ID", "RIGHTS", "STATUS", "MANAGED BY"],
            users.into_iter().map(|line| {
                let (rights, status) = (line.rights.to_string(), line.status.to_string());
                [line.arn, line.unique_id, rights, status, line.managed.to_string()]
            }),
        ),
        Reply::Records { records } => table(
            ["NAME", "ID", "MANAGED BY"],
            records.into_iter().map(|line| [line.arn, line.unique_id, line.managed.to_string()]),
        ),
        Reply::Record { record, managed } => {
            // One that serde_json cannot write does not exist.
            let shown = serde_json::to_string_pretty(&record).unwrap_or_default();
            format!("{}\nmanaged by: {managed}\n{shown}\n", record.arn())
        }
        Reply::AccessKeys { access_keys } => table(
            ["ACCESS KEY", "ACCOUNT", "OWNER", "STATUS", "MANAGED BY"],
            access_keys.into_iter().map(|line| {
                let (account, status) = (line.account.to_string(), line.status.to_string());
                [line.id, account, owner(&line.owner), status, line.managed.to_string()]
            }),
        ),
        Reply::MfaDevices { devices } => table(
            ["SERIAL NUMBER", "OWNER", "MANAGED BY"],
            devices
                .into_iter()
                .map(|line| [line.serial_number, owner(&line.owner), line.managed.to_string()]),
        ),
        Reply::NewMfaDevice { serial_number, key, uri } => {
            let (key, uri) = (key.expose(), uri.expose());
            format!("mfa_serial = {serial_number}\nkey = {key}\n{uri}\nThe key is not shown again.\n")
        }
        Reply::NewAccessKey { id, secret } => format!(
            "aws_access_key_id = {id}\naws_secret_access_key = {}\nThe secret is not shown again.\n",
            secret.expose()
        ),
        Reply::KeyStore { id } => format!(
            "Made {id}. To connect it:\n  aws kms connect-custom-key-store --custom-key-store-id {id}\nThe proxy \
             configuration file has a secret in it and is not needed any more.\n"
        ),
        Reply::Orphans { orphans, lacking, unseen } => orphans::found(orphans, lacking, unseen),
        Reply::Destroyed { destroyed, left } => orphans::outcome(destroyed, left),
        Reply::Explanation { explanation } => explain::text(&explanation),
        Reply::Tokens { tokens } => table(
            ["TOKEN", "SPEAKS FOR", "REGION", "UNTIL", "FOR WHAT"],
            tokens.into_iter().map(|line| {
                [line.id, line.principal, line.region.to_string(), line.expires, line.description]
            }),
        ),
        Reply::NewToken { token, expires } => {
            format!("{}\nIt is good until {expires}, and not shown again.\n", token.expose())
        }
        Reply::Done => "Done.\n".to_owned(),
        Reply::Refused { problem } => format!("{problem}\n"),
    }
}

fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Root => "root".to_owned(),
        Owner::User(name) => format!("user {name}"),
    }
}

/// Columns as wide as their widest cell.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(["A", "LONG"], [["abc".to_owned(), "d".to_owned()]].into_iter());
        assert_eq!(text, "A    LONG\nabc  d\n");
    }
}
