//! Keys that trent manages on behalf of a service: made when `alias/aws/<service>` is first named.

use std::collections::BTreeMap;
use std::sync::Arc;

use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::KeyId;
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::rotation::Schedule;
use trent_keystore::{Owner, StoreError};
use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin};

use crate::actions::Action;
use crate::cache::Entry;
use crate::facts::Facts;
use crate::find::{Found, FoundBy};
use crate::opening::Gate;
use crate::refusal::Refusal;

impl Gate {
    /// The key of a service in an account and Region; of two that make it at once, the first counts.
    pub(crate) async fn create_aws_managed<A: Action>(
        &self,
        alias: &AliasName,
        service: &str,
        facts: &Facts<'_>,
    ) -> Result<KeyId, Refusal> {
        let now = self.clock.now();
        let (account, region) = (facts.caller.account, facts.region);
        let id = KeyId::generate(now, self.random_array()?, false);
        let mut key = Key {
            id,
            account,
            region,
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            manager: KeyManager::Aws,
            description: format!("Default key that protects my {service} data when no other key is defined"),
            created: now,
            lifecycle: Lifecycle::Enabled,
            policy: None,
            tags: BTreeMap::new(),
            // AWS rotates its managed keys every year, always.
            schedule: Some(Schedule::starting(now, None)),
            materials: Vec::new(),
            in_store: None,
            multi_region: None,
            version: 0,
        };
        // Whoever could not use the key does not make it by naming it.
        let entry = Arc::new(Entry::unkept(key.clone(), self.policies.of(&key)?));
        let mut found = Found { alias: Some(alias.clone()), ..Found::new(entry, FoundBy::Name) };
        self.allow::<A>(&mut found, facts).await?;
        let material = self.make_material(Owner::of(&key), KeySpec::SymmetricDefault).await?;
        key.materials.push(material.into_material(now, None));
        let name = alias.clone();
        trent_database::write(&*self.database, "create AWS managed key", move |transaction| {
            if let Some(existing) = transaction.alias(account, region, name.as_str())? {
                return Ok(existing.target);
            }
            transaction.insert_key(&key)?;
            let alias = Alias { account, region, name: name.clone(), target: id, created: now, updated: now };
            transaction.insert_alias(&alias)?;
            Ok::<_, Refusal>(id)
        })
        .await?
    }

    pub(crate) fn random_array<const N: usize>(&self) -> Result<[u8; N], Refusal> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(StoreError::from)?;
        Ok(bytes)
    }
}
