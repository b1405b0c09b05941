//! `trent import`: makes a pair of keys that others seal for, and takes over what was sealed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use serde_json::{Map, Value, json};
use trent_crypto::transfer::{encode_recipient, recipient_of};
use trent_gate::{Imported, MoveError};
use trent_service::StoppedTrail;

use crate::arguments::ImportArguments;
use crate::config::{Config, Environment, IdentityFile};
use crate::data_dir::write_durably;
use crate::output::say;
use crate::root_key::hex;
use crate::stopped::{Doing, check_new, record_keys, with_gate};

pub(crate) fn run(arguments: &ImportArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.load(environment)?;
    match (&arguments.new_recipient, &arguments.file) {
        (Some(public), _) => new_recipient(arguments, &config, environment, public),
        (None, Some(file)) => import(arguments, &config, environment, file),
        (None, None) => bail!("a file is needed"),
    }
}

fn new_recipient(
    arguments: &ImportArguments,
    config: &Config,
    environment: &Environment,
    public: &Path,
) -> Result<ExitCode> {
    check_new(public)?;
    let recipient =
        with_gate(config, &arguments.root_key, environment, Doing::Work, |gate, trail| async move {
            let recipient = gate.new_recipient().await?;
            let recorded = json!({"recipient": hex(&recipient.id())});
            trail.record("NewTransferRecipient", &recorded).await.map_err(Error::msg)?;
            Ok(recipient)
        })?;
    let shown = public.display();
    write_durably(public, encode_recipient(&recipient).as_bytes())
        .with_context(|| format!("{shown} cannot be written"))?;
    say(format_args!("Wrote recipient {} to {shown}.", hex(&recipient.id())));
    say(format_args!("Take it to the other deployment: trent export --to {shown} --out FILE --all"));
    Ok(ExitCode::SUCCESS)
}

fn import(
    arguments: &ImportArguments,
    config: &Config,
    environment: &Environment,
    file: &Path,
) -> Result<ExitCode> {
    let shown = file.display();
    let sealed = fs::read(file).with_context(|| format!("{shown} cannot be read"))?;
    let configured = IdentityFile::of(&config.identity).read(environment)?;
    let configured = configured.accounts.iter().map(|account| account.account.id).collect();
    let doing = if arguments.dry_run { Doing::Trial } else { Doing::Work };
    let imported = with_gate(config, &arguments.root_key, environment, doing, |gate, trail| async move {
        if doing == Doing::Work {
            // Before anything changes: whoever is killed in between leaves this behind.
            intend(&trail, &sealed).await?;
        }
        let imported = gate.import(&sealed, configured, arguments.dry_run).await;
        if let (Ok(imported), Doing::Work) = (&imported, doing) {
            record(&trail, imported).await?;
        }
        Ok(imported)
    })?;
    match imported {
        Ok(imported) => {
            tell(&imported, arguments.dry_run);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if let MoveError::Conflicts(conflicts) = &error {
                for conflict in conflicts {
                    say(format_args!("There already: {conflict}"));
                }
            }
            Err(Error::new(error).context(format!("{shown}: nothing was imported")))
        }
    }
}

async fn intend(trail: &StoppedTrail, sealed: &[u8]) -> Result<()> {
    let recipient = recipient_of(sealed).ok().map(|id| hex(&id));
    let sha256 = trent_audit::hex(&trent_audit::hash(sealed));
    let recorded = json!({"recipient": recipient, "sha256": sha256});
    trail.record("BeginImportKeys", &recorded).await.map_err(Error::msg).context("nothing was imported")
}

async fn record(trail: &StoppedTrail, imported: &Imported) -> Result<()> {
    let accounts = imported.accounts.iter().map(ToString::to_string).collect::<Value>();
    let recorded = Map::from_iter([("accountsMade".to_owned(), accounts)]);
    let all = record_keys(trail, "ImportKeys", &recorded, &imported.keys).await;
    all.context("the keys were imported, but that could not be recorded")
}

fn tell(imported: &Imported, trial: bool) {
    let Imported { keys, aliases, grants, accounts, other_material_ids } = imported;
    let did = if trial { "Would import" } else { "Imported" };
    say(format_args!("{did} {} keys, {aliases} aliases and {grants} grants.", keys.len()));
    for account in accounts {
        let made = if trial { "would be made" } else { "was made" };
        say(format_args!("Account {account} {made}; there is nobody in it yet."));
    }
    if *other_material_ids {
        say(
            "Ids of imported material are made here with another key: what is deleted of it cannot be imported again.",
        );
    }
}
