//! The suite that every database passes. A backend calls [`contract!`] with a way to open an empty database.

pub(crate) mod aliases;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod identities;
pub(crate) mod key_stores;
pub(crate) mod keys;
pub(crate) mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::{AccountId, KeyId, MaterialId, Region};
use trent_domain::import::{Imported, Standing};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::multi_region::MultiRegion;
use trent_domain::rotation::{Material, Rotation, Schedule};
use trent_domain::time::Timestamp;
use trent_protocol::{KeyManager, KeySpec, KeyUsage, Origin, RotationType};

use crate::{Database, DatabaseError, Records, Transaction};

/// A database under test. What it lives in goes with it.
pub(crate) struct Subject {
    pub(crate) database: Arc<dyn Database>,
    pub(crate) _home: Box<dyn Send + Sync>,
}

impl Subject {
    async fn read<T: Send + 'static>(
        &self,
        body: impl FnOnce(&dyn Records) -> Result<T, DatabaseError> + Send + 'static,
    ) -> T {
        crate::read(&*self.database, body).await.expect("the read succeeds")
    }

    async fn try_write<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut dyn Transaction) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        crate::write(&*self.database, "test", body).await?
    }

    async fn write<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut dyn Transaction) -> Result<T, DatabaseError> + Send + 'static,
    ) -> T {
        self.try_write(body).await.expect("the write succeeds")
    }

    async fn insert<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) {
        let keys: Vec<Key> = keys.into_iter().cloned().collect();
        self.write(move |records| keys.iter().try_for_each(|key| records.insert_key(key))).await;
    }

    async fn key(&self, region: Region, id: KeyId) -> Option<Key> {
        self.read(move |records| records.key(region, id)).await
    }
}

/// Makes one test of each claim, on the database that `$open` opens.
macro_rules! contract {
    ($open:ident) => {
        $crate::contract::contract! { $open,
            aliases: [are_found_listed_and_counted, are_replaced_and_deleted, belong_to_keys_that_are_there],
            grants: [
                come_back_as_they_were, belong_to_keys_that_are_there_and_have_ids_of_their_own,
                are_listed_in_pages_by_key_and_grantee, are_listed_in_pages_by_retiring_principal,
                are_found_by_all_their_terms, are_counted_and_deleted_once, go_with_their_key,
                are_published_when_made_and_when_deleted,
            ],
            groups: [
                a_body_that_fails_undoes_itself_alone, a_body_that_panics_undoes_itself_alone,
                a_write_goes_its_way_when_nobody_waits, a_transaction_sees_what_it_has_written,
                many_writers_lose_nothing, changes_are_published_before_the_answer,
                what_was_undone_is_not_published, a_read_sees_one_moment,
            ],
            identities: [are_kept_and_replaced, are_deleted_by_name, need_their_account],
            key_stores: [come_back_as_they_were, are_changed_once_for_each_version, have_names_of_their_own, hold_keys],
            keys: [
                come_back_as_they_were, are_changed_once_for_each_version, are_known_by_region_and_id,
                are_listed_in_pages, of_all_accounts_and_regions_are_told_a_page_at_a_time, are_counted_without_those_of_services, are_due_when_their_time_has_come,
                that_are_due_are_told_a_page_at_a_time,
                go_with_their_aliases_and_usage, remember_the_later_usage, are_broken_without_their_relations,
            ],
            ring: [keys_and_settings_are_kept_and_replaced],
        }
    };
    ($open:ident, $($family:ident: [$($claim:ident),* $(,)?]),* $(,)?) => {$(
        mod $family {
            $(
                #[tokio::test]
                async fn $claim() {
                    $crate::contract::$family::$claim(super::$open()).await;
                }
            )*
        }
    )*};
}
pub(crate) use contract;

pub(crate) fn account(digits: &str) -> AccountId {
    digits.parse().expect("an account id")
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().expect("a Region name")
}

/// A key with nothing special about it: `number` tells it from others.
pub(crate) fn plain_key(number: u8) -> Key {
    Key {
        id: KeyId::from_parts([number; 16], false),
        account: account("111122223333"),
        region: region("eu-central-1"),
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: Origin::AwsKms,
        manager: KeyManager::Customer,
        description: String::new(),
        created: Timestamp::from_millis(1_700_000_000_123),
        lifecycle: Lifecycle::Enabled,
        policy: None,
        tags: BTreeMap::new(),
        schedule: None,
        materials: vec![material(number)],
        in_store: None,
        multi_region: None,
        version: 1,
    }
}

/// A key that uses all that a record can hold.
pub(crate) fn full_key(number: u8) -> Key {
    let rotation = Rotation { at: Timestamp::from_millis(5), kind: RotationType::OnDemand };
    Key {
        id: KeyId::from_parts([number; 16], true),
        description: "with \"quotes\", a \u{1F511} and a\nline break".to_owned(),
        lifecycle: Lifecycle::PendingDeletion { delete_at: Timestamp::from_millis(9), window_days: 7 },
        policy: Some("{\"Version\": \"2012-10-17\"}".into()),
        tags: BTreeMap::from([("a".to_owned(), String::new()), ("ä b".to_owned(), "c".to_owned())]),
        schedule: Some(Schedule { period_days: 90, next: Timestamp::from_millis(7) }),
        materials: vec![
            material(number),
            Material { rotation: Some(rotation), ..material(number + 100) },
            imported(number + 101, Standing::Associated, 3),
            imported(number + 102, Standing::PendingRotation, 0),
        ],
        multi_region: Some(MultiRegion {
            primary: region("us-west-2"),
            replicas: BTreeSet::from([region("eu-central-1"), region("us-east-1")]),
        }),
        ..plain_key(number)
    }
}

fn material(number: u8) -> Material {
    Material {
        id: MaterialId([number; 32]),
        created: Timestamp::from_millis(3),
        rotation: None,
        imported: None,
        public: number.is_multiple_of(2).then(|| [number; 5].into()),
        sealed: (0..=number).collect(),
    }
}

/// Imported material, with its bytes or without.
fn imported(number: u8, standing: Standing, sealed_bytes: usize) -> Material {
    let valid_to = (standing == Standing::Associated).then_some(Timestamp::from_millis(11));
    let description = (standing == Standing::PendingRotation).then(|| "ours".to_owned());
    let imported = Some(Imported { valid_to, description, standing });
    Material { imported, sealed: vec![number; sealed_bytes], ..material(number) }
}

pub(crate) fn alias(name: &str, target: &Key) -> Alias {
    Alias {
        account: target.account,
        region: target.region,
        name: AliasName::unchecked(name),
        target: target.id,
        created: Timestamp::from_millis(1),
        updated: Timestamp::from_millis(2),
    }
}
