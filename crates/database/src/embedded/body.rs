//! The body of a key's row: JSON, with a version of its own. The book's page "Formats" describes it.
//!
//! A body of any version this trent knows is read; one is written anew, in the newest version, whenever its key changes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use trent_domain::identifier::{KeyId, MaterialId};
use trent_domain::import::{Imported, Standing};
use trent_domain::key::Key;
use trent_domain::key_store::InStore;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::multi_region::MultiRegion;
use trent_domain::rotation::{Material, Rotation, Schedule};
use trent_domain::time::Timestamp;
use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin, RotationType};

use super::keys::KeyRow;
use crate::error::DatabaseError;

/// The version written.
const VERSION: u32 = 1;

/// Version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyBody<'a> {
    v: u32,
    spec: KeySpec,
    usage: KeyUsage,
    origin: Origin,
    manager: KeyManager,
    #[serde(default, skip_serializing_if = "str::is_empty", borrow)]
    description: Cow<'a, str>,
    created: Timestamp,
    lifecycle: Cow<'a, Lifecycle>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: Cow<'a, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    materials: Vec<MaterialBody>,
    /// Of keys in a custom key store alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_store: Option<Cow<'a, InStore>>,
    /// Of multi-Region keys alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    multi_region: Option<Cow<'a, MultiRegion>>,
}

/// One material, oldest first in its list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaterialBody {
    id: MaterialId,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<RotationBody>,
    /// Base 64, of key pairs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedBody>,
    /// Base 64; empty while imported material is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sealed: String,
}

/// What imported material has beyond others.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportedBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_to: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    standing: Standing,
}

/// The rotation that made a material.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationBody {
    at: Timestamp,
    kind: RotationType,
}

pub(crate) fn write_key(key: &Key) -> Result<String, DatabaseError> {
    let body = KeyBody {
        v: VERSION,
        spec: key.spec,
        usage: key.usage,
        origin: key.origin,
        manager: key.manager,
        description: Cow::Borrowed(&key.description),
        created: key.created,
        lifecycle: Cow::Borrowed(&key.lifecycle),
        policy: key.policy.clone(),
        tags: Cow::Borrowed(&key.tags),
        schedule: key.schedule,
        materials: key.materials.iter().map(write_material).collect(),
        in_store: key.in_store.as_ref().map(Cow::Borrowed),
        multi_region: key.multi_region.as_ref().map(Cow::Borrowed),
    };
    serde_json::to_string(&body).map_err(DatabaseError::engine)
}

pub(crate) fn read_key(row: &KeyRow) -> Result<Key, DatabaseError> {
    let broken =
        |column| DatabaseError::Broken { table: "keys", column, id: format!("{}/{}", row.region, row.id) };
    let body: KeyBody<'_> = serde_json::from_str(&row.body).map_err(|_| broken("body"))?;
    if body.v != VERSION {
        return Err(broken("body"));
    }
    let id: KeyId = row.id.parse().map_err(|_| broken("id"))?;
    if id.is_multi_region() != body.multi_region.is_some() {
        return Err(broken("body"));
    }
    let materials = body.materials.into_iter().map(read_material).collect::<Option<_>>();
    Ok(Key {
        id,
        account: row.account.parse().map_err(|_| broken("account"))?,
        region: row.region.parse().map_err(|_| broken("region"))?,
        spec: body.spec,
        usage: body.usage,
        origin: body.origin,
        manager: body.manager,
        description: body.description.into_owned(),
        created: body.created,
        lifecycle: body.lifecycle.into_owned(),
        policy: body.policy,
        tags: body.tags.into_owned(),
        schedule: body.schedule,
        materials: materials.ok_or_else(|| broken("body"))?,
        in_store: body.in_store.map(Cow::into_owned),
        multi_region: body.multi_region.map(Cow::into_owned),
        version: u64::try_from(row.version).map_err(|_| broken("version"))?,
    })
}

fn write_material(material: &Material) -> MaterialBody {
    let Material { id, created, rotation, public, imported, sealed } = material;
    let rotation = rotation.map(|Rotation { at, kind }| RotationBody { at, kind });
    let public = public.as_ref().map(|public| STANDARD.encode(public));
    let imported = imported.clone().map(|Imported { valid_to, description, standing }| ImportedBody {
        valid_to,
        description,
        standing,
    });
    MaterialBody { id: *id, created: *created, rotation, public, imported, sealed: STANDARD.encode(sealed) }
}

fn read_material(body: MaterialBody) -> Option<Material> {
    let rotation = body.rotation.map(|RotationBody { at, kind }| Rotation { at, kind });
    let public = body.public.map(|public| STANDARD.decode(public)).transpose().ok()?.map(Arc::from);
    let imported = body.imported.map(|ImportedBody { valid_to, description, standing }| Imported {
        valid_to,
        description,
        standing,
    });
    let sealed = STANDARD.decode(body.sealed).ok()?;
    // Only imported material can be gone.
    if sealed.is_empty() && imported.is_none() {
        return None;
    }
    Some(Material { id: body.id, created: body.created, rotation, public, imported, sealed })
}
