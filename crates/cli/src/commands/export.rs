//! `trent export`: seals keys for another deployment. See `import` for how they get in there.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use trent_crypto::transfer::decode_recipient;
use trent_domain::identifier::{KeyId, KeyName, Region};
use trent_gate::{Exported, MoveError, Selection};

use crate::arguments::ExportArguments;
use crate::config::Environment;
use crate::data_dir::write_durably;
use crate::failure::misuse;
use crate::output::say;
use crate::root_key::hex;
use crate::stopped::{Doing, check_new, record_keys, with_gate};

pub(crate) fn run(arguments: &ExportArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.load(environment)?;
    let (to, out) = (&arguments.to, &arguments.out);
    check_new(out)?;
    let selection = selection(arguments)?;
    let text = fs::read(to).with_context(|| format!("{} cannot be read", to.display()))?;
    let recipient = decode_recipient(&text).with_context(|| to.display().to_string())?;
    let id = hex(&recipient.id());
    let recorded = Map::from_iter([("recipient".to_owned(), Value::from(id.as_str()))]);
    let exported =
        with_gate(&config, &arguments.root_key, environment, Doing::Work, |gate, trail| async move {
            let exported = gate.export(selection, &recipient).await.map_err(told)?;
            // Before anybody has the file.
            record_keys(&trail, "ExportKeys", &recorded, &exported.keys).await?;
            Ok(exported)
        })?;
    let Exported { file, keys, left_out } = exported;
    write_durably(out, &file).with_context(|| format!("{} cannot be written", out.display()))?;
    for arn in left_out {
        say(format_args!("Left out: {arn}, which is in a custom key store."));
    }
    say(format_args!("Wrote {} keys to {}.", keys.len(), out.display()));
    say(format_args!("Only recipient {id} can open it: is that the id which `trent import` showed?"));
    Ok(ExitCode::SUCCESS)
}

fn selection(arguments: &ExportArguments) -> Result<Selection> {
    if arguments.all {
        return Ok(Selection::All);
    }
    Ok(Selection::Keys(arguments.keys.iter().map(|text| name(text)).collect::<Result<_>>()?))
}

fn name(text: &str) -> Result<KeyName> {
    if let Ok(id) = text.parse::<KeyId>() {
        return Ok(KeyName::Id(id));
    }
    // Whatever Region the ARN is of is the right one.
    let region = text.split(':').nth(3).and_then(|region| region.parse::<Region>().ok());
    match region.map(|region| KeyName::parse_id_or_arn(text, region)) {
        Some(Ok(name)) => Ok(name),
        _ => Err(misuse(format!("`{text}` is neither a key id nor the ARN of a key"))),
    }
}

fn told(error: MoveError) -> anyhow::Error {
    match error {
        MoveError::UnknownKeys(_) | MoveError::InStore(_) => misuse(format!("{error}; nothing was written")),
        other => anyhow::Error::new(other).context("nothing was written"),
    }
}
