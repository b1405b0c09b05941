//! `trent admin`: commands for the server that runs, through the socket in its data directory.

mod dev;
mod xks;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use trent_domain::identity::Owner;
use trent_service::admin::{Command, Reply};

use crate::admin_socket::ask;
use crate::arguments::{AccessKeyCommand, AccountCommand, AdminArguments, AdminCommand, UserCommand};
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
        AdminCommand::XksStore(words) => tell(ask(&proxy_dir, &xks::store(words))?, json, xks::text)?,
        AdminCommand::XksKey(words) => tell(ask(&proxy_dir, &xks::key(words)?)?, json, xks::text)?,
        AdminCommand::Account(words) => tell(ask(dir, &account(words))?, json, text)?,
        AdminCommand::User(words) => tell(ask(dir, &user(words))?, json, text)?,
        AdminCommand::AccessKey(words) => tell(ask(dir, &access_key(words))?, json, text)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A reply as JSON, or for people.
fn tell<R: Serialize>(reply: R, json: bool, text: impl FnOnce(R) -> String) -> Result<String> {
    Ok(if json { serde_json::to_string(&reply)? + "\n" } else { text(reply) })
}

fn account(command: AccountCommand) -> Command {
    match command {
        AccountCommand::List => Command::ListAccounts {},
        AccountCommand::Add { id, name } => Command::AddAccount { id, name },
        AccountCommand::Disable { id } => Command::DisableAccount { id },
        AccountCommand::Enable { id } => Command::EnableAccount { id },
    }
}

fn user(command: UserCommand) -> Command {
    match command {
        UserCommand::List => Command::ListUsers {},
        UserCommand::Add { name, account, path, administrator } => {
            Command::AddUser { account, name, path, administrator }
        }
        UserCommand::Disable { name, account } => Command::DisableUser { account, name },
        UserCommand::Enable { name, account } => Command::EnableUser { account, name },
    }
}

fn access_key(command: AccessKeyCommand) -> Command {
    match command {
        AccessKeyCommand::List => Command::ListAccessKeys {},
        AccessKeyCommand::Add { account, user } => Command::AddAccessKey { account, user },
        AccessKeyCommand::Disable { id } => Command::DisableAccessKey { id },
        AccessKeyCommand::Enable { id } => Command::EnableAccessKey { id },
    }
}

/// A reply for people.
fn text(reply: Reply) -> String {
    match reply {
        Reply::Accounts { accounts } => table(
            ["ACCOUNT", "NAME", "STATUS"],
            accounts.into_iter().map(|line| [line.id.to_string(), line.name, line.status.to_string()]),
        ),
        Reply::Users { users } => table(
            ["USER", "ID", "RIGHTS", "STATUS"],
            users.into_iter().map(|line| {
                let rights = if line.administrator { "administrator" } else { "those of policies" };
                [line.arn, line.unique_id, rights.to_owned(), line.status.to_string()]
            }),
        ),
        Reply::AccessKeys { access_keys } => table(
            ["ACCESS KEY", "ACCOUNT", "OWNER", "STATUS"],
            access_keys.into_iter().map(|line| {
                let owner = match line.owner {
                    Owner::Root => "root".to_owned(),
                    Owner::User(name) => format!("user {name}"),
                };
                [line.id, line.account.to_string(), owner, line.status.to_string()]
            }),
        ),
        Reply::NewAccessKey { id, secret } => format!(
            "aws_access_key_id = {id}\naws_secret_access_key = {secret}\nThe secret is not shown again.\n"
        ),
        Reply::Done => "Done.\n".to_owned(),
        Reply::Refused { problem } => format!("{problem}\n"),
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
