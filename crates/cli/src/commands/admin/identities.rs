//! The words about what accounts have, as commands of the socket.

use std::fs;
use std::path::Path;

use anyhow::Result;
use trent_domain::identity::{Kind, ProviderKeys, RecordName};
use trent_service::admin::Command;

use crate::arguments::{
    AccessKeyCommand, AccountCommand, GroupCommand, MfaDeviceCommand, Named, OidcProviderCommand,
    PolicyCommand, PrincipalCommand, RecordCommand, RightsCommand, RoleCommand, TokenCommand, UserCommand,
};
use crate::failure::misuse;

pub(super) fn account(words: AccountCommand) -> Command {
    match words {
        AccountCommand::List => Command::ListAccounts {},
        AccountCommand::Add { id, name } => Command::AddAccount { id, name },
        AccountCommand::Disable { id } => Command::DisableAccount { id },
        AccountCommand::Enable { id } => Command::EnableAccount { id },
    }
}

pub(super) fn access_key(words: AccessKeyCommand) -> Command {
    match words {
        AccessKeyCommand::List => Command::ListAccessKeys {},
        AccessKeyCommand::Add { account, user } => Command::AddAccessKey { account, user },
        AccessKeyCommand::Disable { id } => Command::DisableAccessKey { id },
        AccessKeyCommand::Enable { id } => Command::EnableAccessKey { id },
        AccessKeyCommand::Delete { id } => Command::DeleteAccessKey { id },
    }
}

pub(super) fn mfa_device(words: MfaDeviceCommand) -> Command {
    match words {
        MfaDeviceCommand::List => Command::ListMfaDevices {},
        MfaDeviceCommand::Add { device: Named { name, account }, user } => {
            Command::AddMfaDevice { account, user, name }
        }
        MfaDeviceCommand::Delete(device) => record(Kind::MfaDevice, RecordCommand::Delete(device)),
    }
}

pub(super) fn token(words: TokenCommand) -> Command {
    match words {
        TokenCommand::List => Command::ListTokens {},
        TokenCommand::Create { account, user, role, session, region, days, description } => {
            Command::CreateToken { account, user, role, session, region, days, description }
        }
        TokenCommand::Revoke { id } => Command::RevokeToken { id },
    }
}

pub(super) fn user(words: UserCommand) -> Result<Command> {
    Ok(match words {
        UserCommand::Add { user: Named { name, account }, path, administrator } => {
            Command::AddUser { account, name, path, administrator }
        }
        UserCommand::Disable(Named { name, account }) => Command::DisableUser { account, name },
        UserCommand::Enable(Named { name, account }) => Command::EnableUser { account, name },
        UserCommand::Join { user: Named { name: user, account }, group } => {
            Command::AddToGroup { account, user, group }
        }
        UserCommand::Leave { user: Named { name: user, account }, group } => {
            Command::RemoveFromGroup { account, user, group }
        }
        UserCommand::Record(RecordCommand::List) => Command::ListUsers {},
        UserCommand::Record(words) => record(Kind::User, words),
        UserCommand::Rights(words) => rights(Kind::User, words)?,
        UserCommand::Principal(words) => principal(Kind::User, words),
    })
}

pub(super) fn group(words: GroupCommand) -> Result<Command> {
    Ok(match words {
        GroupCommand::Add { group: Named { name, account }, path } => {
            Command::AddGroup { account, name, path }
        }
        GroupCommand::Record(words) => record(Kind::Group, words),
        GroupCommand::Rights(words) => rights(Kind::Group, words)?,
    })
}

pub(super) fn role(words: RoleCommand) -> Result<Command> {
    Ok(match words {
        RoleCommand::Add { role: Named { name, account }, path, trust, max_session_seconds } => {
            Command::AddRole { account, name, path, trust: text_of(&trust)?, max_session_seconds }
        }
        RoleCommand::Update { role: Named { name, account }, trust, max_session_seconds } => {
            let trust = trust.as_deref().map(text_of).transpose()?;
            Command::UpdateRole { account, name, trust, max_session_seconds }
        }
        RoleCommand::RevokeSessions(Named { name, account }) => Command::RevokeSessions { account, name },
        RoleCommand::Record(words) => record(Kind::Role, words),
        RoleCommand::Rights(words) => rights(Kind::Role, words)?,
        RoleCommand::Principal(words) => principal(Kind::Role, words),
    })
}

pub(super) fn policy(words: PolicyCommand) -> Result<Command> {
    Ok(match words {
        PolicyCommand::Add { policy: Named { name, account }, path, document } => {
            Command::PutPolicy { account, name, path, document: text_of(&document)?, replace: false }
        }
        PolicyCommand::Update { policy: Named { name, account }, document } => {
            let (path, document) = (String::new(), text_of(&document)?);
            Command::PutPolicy { account, name, path, document, replace: true }
        }
        PolicyCommand::Record(words) => record(Kind::Policy, words),
    })
}

pub(super) fn oidc_provider(words: OidcProviderCommand) -> Result<Command> {
    Ok(match words {
        OidcProviderCommand::Add { provider: Named { name: url, account }, client_ids, jwks, ca } => {
            let keys = jwks.as_deref().map(text_of).transpose()?;
            let keys = keys.map_or(ProviderKeys::Discovery, ProviderKeys::Fixed);
            let ca = ca.as_deref().map(text_of).transpose()?;
            let client_ids = client_ids.into_iter().collect();
            Command::AddOidcProvider { account, url, client_ids, keys, ca }
        }
        OidcProviderCommand::Record(words) => record(Kind::OidcProvider, words),
    })
}

fn record(kind: Kind, words: RecordCommand) -> Command {
    match words {
        RecordCommand::List => Command::ListRecords { kind },
        RecordCommand::Show(named) => Command::ShowRecord { name: name_of(kind, named) },
        RecordCommand::Delete(named) => Command::DeleteRecord { name: name_of(kind, named) },
    }
}

fn rights(kind: Kind, words: RightsCommand) -> Result<Command> {
    Ok(match words {
        RightsCommand::Attach { to, policy } => Command::AttachPolicy { to: name_of(kind, to), policy },
        RightsCommand::Detach { from, policy } => Command::DetachPolicy { from: name_of(kind, from), policy },
        RightsCommand::PutInline { to, policy, document } => {
            Command::PutInlinePolicy { to: name_of(kind, to), policy, document: text_of(&document)? }
        }
        RightsCommand::DeleteInline { from, policy } => {
            Command::DeleteInlinePolicy { from: name_of(kind, from), policy }
        }
    })
}

fn principal(kind: Kind, words: PrincipalCommand) -> Command {
    match words {
        PrincipalCommand::Boundary { of, policy } => Command::SetBoundary { of: name_of(kind, of), policy },
        PrincipalCommand::Tag { of, tags } => {
            Command::Tag { of: name_of(kind, of), tags: tags.into_iter().collect() }
        }
        PrincipalCommand::Untag { of, keys } => {
            Command::Untag { of: name_of(kind, of), keys: keys.into_iter().collect() }
        }
    }
}

fn name_of(kind: Kind, Named { name, account }: Named) -> RecordName {
    RecordName { account, kind, name }
}

fn text_of(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| misuse(format!("{}: {error}", file.display())))
}
