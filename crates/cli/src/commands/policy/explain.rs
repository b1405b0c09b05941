//! `trent policy explain`: asks the server that runs, through the admin socket.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use trent_domain::identifier::Region;
use trent_service::admin::{Command, Explained, PolicyLine, Question, Reply};

use super::read;
use crate::admin_socket::ask;
use crate::arguments::ExplainArguments;
use crate::config::Environment;
use crate::failure::misuse;

/// The exit code of an answer that is no, apart from that of no answer.
const DENIED: u8 = 3;

pub(super) fn run(arguments: &ExplainArguments, environment: &Environment) -> Result<ExitCode> {
    let config = arguments.place.load(environment)?;
    let command = Command::Explain { question: question(arguments)? };
    let Reply::Explanation { explanation } = ask(&config.data.dir, &command)? else {
        bail!("the server's answer is not understood; it is of another version than this command");
    };
    let told = match arguments.json {
        true => serde_json::to_string_pretty(&explanation)? + "\n",
        false => text(&explanation),
    };
    io::stdout().write_all(told.as_bytes())?;
    Ok(if explanation.allowed { ExitCode::SUCCESS } else { ExitCode::from(DENIED) })
}

fn question(arguments: &ExplainArguments) -> Result<Question> {
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in &arguments.context {
        let (key, value) = pair.split_once('=').filter(|(key, _)| key.contains(':')).ok_or_else(|| {
            misuse(format!(
                "--context {pair} is no KEY=VALUE; write for example kms:EncryptionContext:App=web"
            ))
        })?;
        context.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Ok(Question {
        principal: arguments.principal.clone(),
        action: arguments.action.clone(),
        key: arguments.key.clone(),
        alias: arguments.alias.clone(),
        region: region(arguments)?,
        context,
        key_policy: arguments.key_policy.as_deref().map(read).transpose()?,
        session_policy: arguments.session_policy.as_deref().map(read).transpose()?,
    })
}

fn region(arguments: &ExplainArguments) -> Result<Region> {
    if let Some(region) = arguments.region {
        return Ok(region);
    }
    let of_key =
        arguments.key.as_deref().filter(|key| key.starts_with("arn:")).and_then(|key| key.split(':').nth(3));
    of_key.unwrap_or("us-east-1").parse().context("the key's ARN names no Region; name one with --region")
}

/// An explanation for people.
pub(in crate::commands) fn text(explained: &Explained) -> String {
    let Explained { principal, action, resource, reason, .. } = explained;
    let verdict = if explained.allowed { "ALLOWED" } else { "DENIED" };
    let mut all = vec![
        format!("{verdict}: {action} by {principal} on {resource}"),
        format!("because {}", reason.strip_prefix("because ").unwrap_or(reason)),
    ];
    all.extend(explained.message.iter().map(|message| format!("The caller is told: {message}")));
    all.push("What bears on it:".to_owned());
    all.extend(explained.policies.iter().flat_map(lines));
    all.extend(
        explained.grants.iter().map(|grant| format!("  grant {} by {}: allows", grant.id, grant.issuer)),
    );
    if explained.policies.is_empty() && explained.grants.is_empty() {
        all.push("  no policy and no grant".to_owned());
    }
    for (head, sentences) in [("What is missing:", &explained.needs), ("Also:", &explained.notes)] {
        if !sentences.is_empty() {
            all.push(head.to_owned());
            all.extend(sentences.iter().map(|sentence| format!("  {sentence}")));
        }
    }
    all.join("\n") + "\n"
}

fn lines(policy: &PolicyLine) -> Vec<String> {
    let said = [
        ("denies", &policy.denies),
        ("allows", &policy.allows),
        ("leaves it to the caller's account", &policy.delegates),
    ];
    let said: Vec<_> = said
        .iter()
        .filter_map(|(verb, place)| place.as_ref().map(|place| format!("{verb}: {place}")))
        .collect();
    let said = if said.is_empty() { "says nothing".to_owned() } else { said.join("; ") };
    let head = format!("  {} `{}`: {said}", policy.kind, policy.name);
    let near = policy.near.iter().map(|near| {
        format!("    {} {} does not apply: {}", near.effect, near.statement, near.because.join("; "))
    });
    [head].into_iter().chain(near).collect()
}
