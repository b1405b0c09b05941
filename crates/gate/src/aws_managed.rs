//! Keys that trent manages on behalf of a service: made when `alias/aws/<service>` is first named.

use std::collections::BTreeMap;

use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::rotation::Schedule;
use trent_keystore::{Owner, StoreError};
use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin};

use crate::opening::Gate;
use crate::refusal::Refusal;

impl Gate {
    /// The key of a service in an account and Region; of two that make it at once, the first counts.
    pub(crate) async fn create_aws_managed(
        &self,
        account: AccountId,
        region: Region,
        service: &str,
    ) -> Result<KeyId, Refusal> {
        let now = self.clock.now();
        let id = KeyId::generate(now, self.random_array()?, false);
        let owner = Owner { account, region, key: id };
        let material = self.make_material(owner, KeySpec::SymmetricDefault).await?.into_material(now, None);
        let key = Key {
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
            materials: vec![material],
            in_store: None,
            multi_region: None,
            version: 0,
        };
        let name = AliasName::of_service(service);
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
