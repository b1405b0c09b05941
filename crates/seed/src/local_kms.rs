//! Seed files of local-kms (github.com/nsmithuk/local-kms), of both its versions, read as they are.
//!
//! Version 1 groups keys under `Symmetric.Aes`, `Asymmetric.Rsa` and `Asymmetric.Ecc`; version 2 has a list of them,
//! each with a `KeySpec`. Both give ids, material and aliases.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;
use trent_crypto::SecretBytes;
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};
use trent_domain::time::Timestamp;
use trent_protocol::{KeySpec, Origin};
use trent_service::SeedKey;

use super::material::{hex, pem};
use super::own::{origin, spec, usage};
use super::{Defaults, Described, Places, Wrong, deserialize, place, text, wrong};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct File<K> {
    #[serde(rename = "Version")]
    _version: Option<u32>,
    keys: Option<K>,
    #[serde(default)]
    aliases: Vec<Alias>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Alias {
    alias_name: Spanned<String>,
    target_key_id: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Groups {
    symmetric: Symmetric,
    asymmetric: Asymmetric,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Symmetric {
    aes: Vec<Key>,
    hmac: Vec<Key>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Asymmetric {
    rsa: Vec<Key>,
    ecc: Vec<Key>,
}

/// A key of either version: what it is stands in `Metadata` or beside it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Key {
    key_id: Option<Spanned<String>>,
    metadata: Option<Metadata>,
    material: Option<Material>,
    next_key_rotation: Option<Spanned<String>>,
    backing_keys: Option<Vec<Spanned<String>>>,
    private_key_pem: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Metadata {
    key_id: Option<Spanned<String>>,
    description: Option<String>,
    origin: Option<Spanned<String>>,
    key_spec: Option<Spanned<String>>,
    customer_master_key_spec: Option<Spanned<String>>,
    key_usage: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Material {
    backing_keys: Option<Vec<Spanned<String>>>,
    private_key_pem: Option<Spanned<String>>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "Version")]
    version: Option<u32>,
}

pub(super) fn keys(file: &str, defaults: Defaults) -> Result<Vec<Described>, Wrong> {
    let Version { version } = deserialize(file)?;
    let (keys, aliases) = if version.unwrap_or(1) < 2 {
        let File { keys, aliases, .. } = deserialize::<File<Groups>>(file)?;
        let Groups { symmetric: Symmetric { aes, hmac }, asymmetric: Asymmetric { rsa, ecc } } =
            keys.unwrap_or_default();
        ([aes, hmac, rsa, ecc].into_iter().flatten().collect(), aliases)
    } else {
        let File { keys, aliases, .. } = deserialize::<File<Vec<Key>>>(file)?;
        (keys.unwrap_or_default(), aliases)
    };
    let mut all = keys.into_iter().map(|key| described(key, defaults)).collect::<Result<Vec<_>, _>>()?;
    let by_id: BTreeMap<_, _> = all.iter().enumerate().map(|(place, key)| (key.key.id, place)).collect();
    for Alias { alias_name, target_key_id } in aliases {
        let target = text(&target_key_id, "key id")?;
        let Some(described) = by_id.get(&target).and_then(|place| all.get_mut(*place)) else {
            return Err(wrong(&target_key_id, format!("no key of this file has the id `{target}`")));
        };
        described.places.aliases.push(place(&alias_name));
        described.key.aliases.push(alias_name.value);
    }
    Ok(all)
}

fn described(key: Key, defaults: Defaults) -> Result<Described, Wrong> {
    let metadata = key.metadata.unwrap_or_default();
    let material = key.material.unwrap_or_default();
    let Some(id) = key.key_id.or(metadata.key_id) else {
        let at = metadata.key_usage.or(metadata.key_spec).or(key.private_key_pem);
        let place = at.as_ref().map(place).unwrap_or_default();
        return Err(Wrong { place, problem: "a key has no `KeyId`".to_owned() });
    };
    let pem_text = key.private_key_pem.or(material.private_key_pem);
    let backing = key.backing_keys.or(material.backing_keys).unwrap_or_default();
    let mut places = Places {
        id: place(&id),
        usage: metadata.key_usage.as_ref().map(place),
        rotation: key.next_key_rotation.as_ref().map(place),
        ..Places::default()
    };
    let mut materials = Vec::new();
    for digits in &backing {
        places.materials.push(place(digits));
        let bytes = hex(&digits.value);
        materials
            .push(bytes.ok_or_else(|| wrong(digits, "these are no hexadecimal digits, two for a byte"))?);
    }
    let named = metadata.key_spec.as_ref().or(metadata.customer_master_key_spec.as_ref());
    let mut found = named.map(spec).transpose()?;
    if let Some(pem_text) = &pem_text {
        places.materials.push(place(pem_text));
        let document = pem(&pem_text.value).map_err(|problem| wrong(pem_text, problem))?;
        found = Some(match found {
            Some(named) => named,
            None => spec_of(&document)
                .ok_or_else(|| wrong(pem_text, "no RSA or elliptic curve key that KMS has"))?,
        });
        materials.push(document);
    }
    let next = key.next_key_rotation.as_ref().map(time).transpose()?;
    let key = SeedKey {
        id: text(&id, "key id")?,
        account: defaults.account,
        region: defaults.region,
        replicas: Default::default(),
        spec: found.unwrap_or(KeySpec::SymmetricDefault),
        usage: metadata.key_usage.as_ref().map(usage).transpose()?,
        origin: metadata.origin.as_ref().map_or(Ok(Origin::AwsKms), origin)?,
        description: metadata.description.unwrap_or_default(),
        enabled: true,
        policy: None,
        tags: Vec::new(),
        aliases: Vec::new(),
        materials,
        // Its period is a year, as the API's was when the form was made.
        rotation_days: next.map(|_| 365),
        next_rotation: next,
    };
    Ok(Described { key, places })
}

fn time(text: &Spanned<String>) -> Result<Timestamp, Wrong> {
    Timestamp::parse(&text.value).ok_or_else(|| wrong(text, format!("`{}` is no time", text.value)))
}

/// The spec of a private key, which version 1 leaves to the key itself.
fn spec_of(document: &SecretBytes) -> Option<KeySpec> {
    const PAIRS: [(KeySpec, KeyPairSpec); 7] = [
        (KeySpec::Rsa2048, KeyPairSpec::Rsa2048),
        (KeySpec::Rsa3072, KeyPairSpec::Rsa3072),
        (KeySpec::Rsa4096, KeyPairSpec::Rsa4096),
        (KeySpec::EccNistP256, KeyPairSpec::EccNistP256),
        (KeySpec::EccNistP384, KeyPairSpec::EccNistP384),
        (KeySpec::EccNistP521, KeyPairSpec::EccNistP521),
        (KeySpec::EccSecgP256k1, KeyPairSpec::EccSecgP256k1),
    ];
    let fits = |pair: KeyPairSpec| KeyPair::from_pkcs8(pair, document.expose()).is_ok();
    PAIRS.into_iter().find(|(_, pair)| fits(*pair)).map(|(spec, _)| spec)
}
