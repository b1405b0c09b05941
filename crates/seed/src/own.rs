//! The form of trent's own seed files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;
use trent_domain::identifier::Region;
use trent_protocol::{KeySpec, KeyUsage, Origin};
use trent_service::SeedKey;

use super::material::Material;
use super::{Defaults, Described, Place, Places, Wrong, place, text, word, wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Of keys that name none.
    region: Option<Spanned<String>>,
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: Spanned<String>,
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    replicas: Option<Vec<Spanned<String>>>,
    spec: Option<Spanned<String>>,
    usage: Option<Spanned<String>>,
    origin: Option<Spanned<String>>,
    description: Option<String>,
    state: Option<Spanned<String>>,
    policy: Option<Spanned<Policy>>,
    tags: Option<Spanned<BTreeMap<String, String>>>,
    aliases: Option<Vec<Spanned<String>>>,
    material: Option<Spanned<Material>>,
    materials: Option<Vec<Spanned<Material>>>,
    rotation_days: Option<Spanned<u32>>,
}

/// A policy as JSON text, or as the mapping that it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum Policy {
    Text(String),
    Document(serde_json::Map<String, serde_json::Value>),
}

pub(super) fn keys(file: File, defaults: Defaults) -> Result<Vec<Described>, Wrong> {
    let region = file.region.as_ref().map(|region| text(region, "Region name")).transpose()?;
    let defaults = Defaults { region: region.unwrap_or(defaults.region), ..defaults };
    file.keys.into_iter().map(|key| described(key, defaults)).collect()
}

fn described(key: Key, defaults: Defaults) -> Result<Described, Wrong> {
    let places = places(&key);
    let enabled = key.state.as_ref().map_or(Ok(true), enabled)?;
    let materials = materials(key.material, key.materials)?;
    let key = SeedKey {
        id: text(&key.id, "key id; write a UUID, or mrk- and 32 hex digits for a multi-Region key")?,
        account: key
            .account
            .map_or(Ok(defaults.account), |account| text(&account, "account id of 12 digits"))?,
        region: key.region.map_or(Ok(defaults.region), |region| text(&region, "Region name"))?,
        replicas: key.replicas.unwrap_or_default().iter().map(region).collect::<Result<_, _>>()?,
        spec: key.spec.as_ref().map_or(Ok(KeySpec::SymmetricDefault), spec)?,
        usage: key.usage.as_ref().map(usage).transpose()?,
        origin: key.origin.as_ref().map_or(Ok(Origin::AwsKms), origin)?,
        description: key.description.unwrap_or_default(),
        enabled,
        policy: key.policy.map(|policy| policy_text(&policy)).transpose()?,
        tags: key.tags.map(|tags| tags.value).unwrap_or_default().into_iter().collect(),
        aliases: key.aliases.unwrap_or_default().into_iter().map(|alias| alias.value).collect(),
        materials,
        rotation_days: key.rotation_days.map(|days| days.value),
        next_rotation: None,
    };
    Ok(Described { key, places })
}

fn places(key: &Key) -> Places {
    let all = |values: &Option<Vec<Spanned<String>>>| values.iter().flatten().map(place).collect::<Vec<_>>();
    let materials: Vec<Place> =
        key.material.iter().chain(key.materials.iter().flatten()).map(place).collect();
    Places {
        id: place(&key.id),
        usage: key.usage.as_ref().or(key.spec.as_ref()).map(place),
        replicas: all(&key.replicas).first().copied(),
        policy: key.policy.as_ref().map(place),
        tags: key.tags.as_ref().map(place),
        aliases: all(&key.aliases),
        materials,
        rotation: key.rotation_days.as_ref().map(place),
    }
}

fn materials(
    one: Option<Spanned<Material>>,
    more: Option<Vec<Spanned<Material>>>,
) -> Result<Vec<trent_crypto::SecretBytes>, Wrong> {
    if let (Some(one), Some(_)) = (&one, &more) {
        return Err(wrong(one, "a key has `material` or `materials`, not both"));
    }
    let all = one.into_iter().chain(more.into_iter().flatten());
    all.map(|material| {
        let bytes = material.value.bytes();
        bytes.map_err(|problem| Wrong { place: material.referenced.into(), problem })
    })
    .collect()
}

fn enabled(state: &Spanned<String>) -> Result<bool, Wrong> {
    word(
        state,
        |state| ["Disabled", "Enabled"].iter().position(|known| *known == state),
        &["Enabled", "Disabled"],
    )
    .map(|place| place == 1)
}

fn region(name: &Spanned<String>) -> Result<Region, Wrong> {
    text(name, "Region name")
}

pub(super) fn spec(name: &Spanned<String>) -> Result<KeySpec, Wrong> {
    word(name, KeySpec::parse, &KeySpec::ALL.map(KeySpec::as_str))
}

pub(super) fn usage(name: &Spanned<String>) -> Result<KeyUsage, Wrong> {
    word(name, KeyUsage::parse, &KeyUsage::ALL.map(KeyUsage::as_str))
}

pub(super) fn origin(name: &Spanned<String>) -> Result<Origin, Wrong> {
    let here =
        |name: &str| Origin::parse(name).filter(|origin| matches!(origin, Origin::AwsKms | Origin::External));
    word(name, here, &[Origin::AwsKms.as_str(), Origin::External.as_str()])
}

fn policy_text(policy: &Spanned<Policy>) -> Result<String, Wrong> {
    match &policy.value {
        Policy::Text(text) => Ok(text.clone()),
        Policy::Document(document) => {
            serde_json::to_string(document).map_err(|error| wrong(policy, error.to_string()))
        }
    }
}
