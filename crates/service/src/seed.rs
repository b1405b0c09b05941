//! Keys that a seed file describes, with ids and material that are given: for `trent dev`.
//!
//! They are made all in one transaction, or none. A key that is there stays as it is, so that the same file may be
//! read at every start; one that is there with another spec, owner or material is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_database::Transaction;
use trent_domain::algorithms::usages;
use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::identity::{Account, Status};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::limits::POLICY_BYTES_MAX;
use trent_domain::multi_region::MultiRegion;
use trent_domain::rotation::{Material, Rotation, Schedule};
use trent_domain::tags;
use trent_domain::time::Timestamp;
use trent_gate::{Refusal, SeedKey as Permit, StoreError};
use trent_policy::{Document, Kind};
use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin, RotationType};

use crate::error::KmsError;
use crate::open::Service;

/// A key to be made.
pub struct SeedKey {
    /// Its id; one of a multi-Region key makes it a primary.
    pub id: KeyId,
    /// Its account, which is made too where there is none.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// The Regions of its replicas.
    pub replicas: BTreeSet<Region>,
    /// Its spec.
    pub spec: KeySpec,
    /// Its usage; absent where the spec leaves no choice.
    pub usage: Option<KeyUsage>,
    /// Whether its material is imported.
    pub origin: Origin,
    /// Its description.
    pub description: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Its policy; the default one without.
    pub policy: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// Its materials, oldest first. Without any, it is drawn, or waits for its import.
    pub materials: Vec<SecretBytes>,
    /// Days from one automatic rotation to the next, if it has any.
    pub rotation_days: Option<u32>,
    /// When the first of them is due; absent is a period from now.
    pub next_rotation: Option<Timestamp>,
}

/// What of a key is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedMember {
    /// Its id.
    Id,
    /// Its usage.
    Usage,
    /// Its replicas.
    Replicas,
    /// Its policy.
    Policy,
    /// Its tags.
    Tags,
    /// An alias, by its place.
    Alias(usize),
    /// A material, by its place.
    Material(usize),
    /// Its automatic rotation.
    Rotation,
}

/// Why keys were not made: none of them was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedError {
    /// Which key, by its place.
    pub key: usize,
    /// What of it.
    pub member: SeedMember,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// What became of the keys.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SeedReport {
    /// How many were made.
    pub made: usize,
    /// How many were there.
    pub there: usize,
}

/// What is written for one key.
#[derive(Clone)]
struct Rows {
    place: usize,
    keys: Vec<Key>,
    aliases: Vec<Alias>,
}

type Wrong = (SeedMember, String);

impl Service {
    /// Makes the keys that are not there.
    ///
    /// # Errors
    /// One of them cannot be; nothing was made.
    pub async fn seed(&self, keys: Vec<SeedKey>) -> Result<SeedReport, SeedError> {
        let (mut report, mut all, mut seen) = (SeedReport::default(), Vec::new(), BTreeSet::new());
        for (place, seed) in keys.into_iter().enumerate() {
            let located = |(member, problem)| SeedError { key: place, member, problem };
            if !seen.insert((seed.region, seed.id)) {
                let text = format!("key `{}` is there twice in {}; leave one out", seed.id, seed.region);
                return Err(located((SeedMember::Id, text)));
            }
            match self.rows(place, seed).await.map_err(located)? {
                Some(rows) => all.push(rows),
                None => report.there += 1,
            }
        }
        report.made = all.len();
        if !all.is_empty() {
            self.insert(all).await?;
        }
        Ok(report)
    }

    async fn insert(&self, all: Vec<Rows>) -> Result<(), SeedError> {
        let configured = self.configured_accounts().await;
        let inside = |problem: String| SeedError { key: 0, member: SeedMember::Id, problem };
        trent_database::write(&*self.database, "seed keys", move |transaction| {
            all.iter().try_for_each(|rows| {
                insert(rows, &configured, transaction).map_err(|(member, problem)| SeedError {
                    key: rows.place,
                    member,
                    problem,
                })
            })
        })
        .await
        .map_err(|error| inside(error.to_string()))??;
        self.reload_identities().await.map_err(|error| inside(error.to_string()))
    }

    /// What is to be written for a key; nothing if it is there.
    async fn rows(&self, place: usize, mut seed: SeedKey) -> Result<Option<Rows>, Wrong> {
        let usage = usage(&seed)?;
        check(&seed)?;
        let tags = tags::parse(std::mem::take(&mut seed.tags))
            .map_err(|error| (SeedMember::Tags, error.to_string()))?;
        let (region, id) = (seed.region, seed.id);
        let there = trent_database::read(&*self.database, move |records| records.key(region, id)).await;
        let there = there.map_err(|error| (SeedMember::Id, error.to_string()))?;
        let materials = self.materials(&mut seed, there.as_ref()).await?;
        if let Some(there) = there {
            return check_same(&seed, usage, &materials, &there).map(|()| None);
        }
        let key = self.key(&seed, usage, tags, materials);
        let aliases = aliases(&seed, self.now())?;
        let mut keys = self.replicas(&key).await.map_err(|error| (SeedMember::Replicas, told(error)))?;
        keys.insert(0, key);
        Ok(Some(Rows { place, keys, aliases }))
    }

    async fn materials(&self, seed: &mut SeedKey, there: Option<&Key>) -> Result<Vec<Material>, Wrong> {
        let now = self.now();
        let given = std::mem::take(&mut seed.materials);
        let permit = || self.gate.as_system::<Permit>(seed.region, seed.id);
        if given.is_empty() {
            if seed.origin == Origin::External || there.is_some() {
                return Ok(Vec::new());
            }
            let made = permit().material(seed.account, seed.spec, None).await;
            let made = made.map_err(|error| (SeedMember::Id, told(error)))?;
            return Ok(vec![made.into_material(now, None)]);
        }
        let mut materials: Vec<Material> = Vec::with_capacity(given.len());
        for (place, material) in given.into_iter().enumerate() {
            let taken = permit().material(seed.account, seed.spec, Some(material)).await;
            let taken =
                taken.map_err(|error| (SeedMember::Material(place), not_material(error, seed.spec)))?;
            let material = if seed.origin == Origin::External {
                taken.into_imported(now, None, None)
            } else {
                let rotation = Rotation { at: now, kind: RotationType::OnDemand };
                taken.into_material(now, (place > 0).then_some(rotation))
            };
            if materials.iter().any(|known| known.id == material.id) {
                let text = "this material is there already; leave one out".to_owned();
                return Err((SeedMember::Material(place), text));
            }
            materials.push(material);
        }
        Ok(materials)
    }

    fn key(
        &self,
        seed: &SeedKey,
        usage: KeyUsage,
        tags: BTreeMap<String, String>,
        materials: Vec<Material>,
    ) -> Key {
        let now = self.now();
        let lifecycle = match (materials.is_empty(), seed.enabled) {
            (true, _) => Lifecycle::PendingImport,
            (false, true) => Lifecycle::Enabled,
            (false, false) => Lifecycle::Disabled,
        };
        let schedule = seed.rotation_days.map(|days| {
            let schedule = Schedule::starting(now, Some(days));
            Schedule { next: seed.next_rotation.unwrap_or(schedule.next), ..schedule }
        });
        let multi_region = seed.id.is_multi_region();
        let multi_region =
            multi_region.then(|| MultiRegion { primary: seed.region, replicas: seed.replicas.clone() });
        Key {
            id: seed.id,
            account: seed.account,
            region: seed.region,
            spec: seed.spec,
            usage,
            origin: seed.origin,
            manager: KeyManager::Customer,
            description: seed.description.clone(),
            created: now,
            lifecycle,
            policy: seed.policy.as_deref().map(Arc::from),
            tags,
            schedule,
            materials,
            in_store: None,
            multi_region,
            version: 0,
        }
    }

    async fn replicas(&self, primary: &Key) -> Result<Vec<Key>, Refusal> {
        let mut replicas = Vec::new();
        for region in primary.led_regions() {
            let permit = self.gate.as_system::<Permit>(primary.region, primary.id);
            let materials = permit.materials_in(primary, region).await?;
            replicas.push(Key { region, materials, ..primary.clone() });
        }
        Ok(replicas)
    }
}

fn usage(seed: &SeedKey) -> Result<KeyUsage, Wrong> {
    let offered = usages(seed.spec);
    let names = || offered.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    match (seed.usage, offered) {
        (Some(usage), _) if offered.contains(&usage) => Ok(usage),
        (None, [only]) => Ok(*only),
        (Some(usage), _) => {
            let text = format!("a key of spec {} has no usage {usage}; it is {}", seed.spec, names());
            Err((SeedMember::Usage, text))
        }
        (None, _) => {
            let text = format!("a key of spec {} needs a usage: {}", seed.spec, names());
            Err((SeedMember::Usage, text))
        }
    }
}

fn check(seed: &SeedKey) -> Result<(), Wrong> {
    let wrong = |member, text: &str| Err((member, text.to_owned()));
    if !seed.replicas.is_empty() && !seed.id.is_multi_region() {
        return wrong(SeedMember::Replicas, "only multi-Region keys have replicas; begin the id with mrk-");
    }
    if seed.replicas.contains(&seed.region) {
        return wrong(SeedMember::Replicas, "a replica is in another Region than its primary");
    }
    if seed.materials.len() > 1 && seed.spec != KeySpec::SymmetricDefault {
        return wrong(SeedMember::Material(1), "only symmetric keys have more than one material");
    }
    let rotates = seed.spec == KeySpec::SymmetricDefault && seed.origin == Origin::AwsKms;
    if seed.rotation_days.is_some() && !rotates {
        return wrong(
            SeedMember::Rotation,
            "only symmetric keys of origin AWS_KMS are rotated automatically",
        );
    }
    if seed.rotation_days.is_some_and(|days| !(90..=2560).contains(&days)) {
        return wrong(SeedMember::Rotation, "a rotation period has 90 to 2560 days");
    }
    if let Some(policy) = &seed.policy {
        if policy.len() > POLICY_BYTES_MAX {
            return Err((SeedMember::Policy, format!("a policy has at most {POLICY_BYTES_MAX} bytes")));
        }
        let parsed = Document::parse(policy, Kind::Resource);
        parsed.map_err(|error| (SeedMember::Policy, format!("no key policy: {}", error.wire_text())))?;
    }
    Ok(())
}

fn aliases(seed: &SeedKey, now: Timestamp) -> Result<Vec<Alias>, Wrong> {
    let alias = |(place, name): (usize, &String)| {
        let name = AliasName::parse(name).map_err(|error| (SeedMember::Alias(place), error.to_string()))?;
        let (account, region, target) = (seed.account, seed.region, seed.id);
        Ok(Alias { account, region, name, target, created: now, updated: now })
    };
    seed.aliases.iter().enumerate().map(alias).collect()
}

/// A key that is there counts as the one of the file if it is that key, whatever has become of it since.
fn check_same(seed: &SeedKey, usage: KeyUsage, materials: &[Material], there: &Key) -> Result<(), Wrong> {
    let same = (seed.account, seed.spec, usage, seed.origin)
        == (there.account, there.spec, there.usage, there.origin);
    let what_to_do = "change its id, or start on new data";
    if !same {
        let text =
            format!("{} is there with another account, spec, usage or origin; {what_to_do}", there.arn());
        return Err((SeedMember::Id, text));
    }
    match materials.iter().position(|material| there.material(&material.id).is_none()) {
        Some(place) => {
            let text = format!("{} is there with other material; {what_to_do}", there.arn());
            Err((SeedMember::Material(place), text))
        }
        None => Ok(()),
    }
}

fn insert(
    rows: &Rows,
    configured: &BTreeSet<AccountId>,
    transaction: &mut dyn Transaction,
) -> Result<(), Wrong> {
    let inside = |error: trent_database::DatabaseError| (SeedMember::Id, error.to_string());
    for key in &rows.keys {
        let known = transaction.accounts().map_err(inside)?.iter().any(|account| account.id == key.account);
        if !known && !configured.contains(&key.account) {
            let account = Account { id: key.account, name: "seed".to_owned(), status: Status::Active };
            transaction.put_account(&account).map_err(inside)?;
        }
        if transaction.key(key.region, key.id).map_err(inside)?.is_some() {
            return Err((SeedMember::Replicas, format!("{} is there already", key.arn())));
        }
        transaction.insert_key(key).map_err(inside)?;
    }
    for (place, alias) in rows.aliases.iter().enumerate() {
        let name = alias.name.as_str();
        if transaction.alias(alias.account, alias.region, name).map_err(inside)?.is_some() {
            let text = format!("{} is there already; name the key otherwise", alias.arn());
            return Err((SeedMember::Alias(place), text));
        }
        transaction.insert_alias(alias).map_err(inside)?;
    }
    Ok(())
}

fn not_material(error: Refusal, spec: KeySpec) -> String {
    let form = match spec {
        KeySpec::SymmetricDefault => "32 bytes",
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => {
            "as many bytes as its MAC has, or up to the block of the hash"
        }
        _ => "a private key as PKCS#8",
    };
    match error {
        Refusal::Store(StoreError::IncorrectMaterial) => {
            format!("no material of a {spec} key, which is {form}")
        }
        error => told(error),
    }
}

fn told(error: Refusal) -> String {
    let error = KmsError::from(error);
    error.message.unwrap_or_else(|| error.code.to_string())
}
