//! The software store: material is made in this process and kept sealed in the record of its key.

mod import;
mod mac;
mod pairs;
mod stock;
mod symmetric;

use std::sync::Arc;

use trent_crypto::envelope::{self, label};
use trent_crypto::mac::MacKey;
use trent_crypto::material_id::{material_id, pair_id};
use trent_crypto::{BlobKeyId, Key256, Purpose, SecretBytes};
use trent_domain::identifier::{AccountId, KeyId, MaterialId, Region};
use trent_domain::key::Key;
use trent_domain::rotation::Material;
use trent_domain::time::Timestamp;
use trent_protocol::{DataKeyPairSpec, KeySpec};

use crate::keyring::{Keyring, RingName};
use crate::pool::Pool;
use crate::store::{
    Answer, ImportParameters, KeyStore, NewMaterial, OpenedKey, Owner, Pair, StoreError, Wrapped, Wrapping,
};
use stock::Stock;

/// Makes and opens material in this process.
pub struct SoftwareStore {
    keyring: Arc<Keyring>,
    pool: Arc<Pool>,
    stock: Stock,
}

impl SoftwareStore {
    /// A store whose material is sealed under the domain keys of `keyring`, with as many threads as there are cores
    /// for what takes long.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(keyring: Arc<Keyring>) -> Result<Self, StoreError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Arc::new(Pool::start(threads).map_err(StoreError::NoThreads)?);
        let stock = Stock::new(keyring.shared_random(), Arc::clone(&pool));
        Ok(Self { keyring, pool, stock })
    }

    /// Names and seals material that has just been made. A pair is named by its public key: its private key can be
    /// written in several ways.
    fn seal(
        &self,
        owner: Owner,
        material: &[u8],
        public: Option<Arc<[u8]>>,
    ) -> Result<NewMaterial, StoreError> {
        let id_key = self.keyring.key(RingName::MaterialIds)?;
        let (id_key, key) = (id_key.expose(), blob_key_id(owner.key));
        let id = MaterialId(match &public {
            Some(public) => pair_id(&id_key, &key, public),
            None => material_id(&id_key, &key, material),
        });
        let sealed = bound_to(owner, &id, |purpose| self.keyring.seal(domain(owner), purpose, material))?;
        Ok(NewMaterial { id, public, sealed })
    }

    fn unseal(&self, key: &Key, material: &Material) -> Result<SecretBytes, StoreError> {
        let owner = Owner::of(key);
        bound_to(owner, &material.id, |purpose| self.keyring.open(domain(owner), purpose, &material.sealed))
    }
}

impl KeyStore for SoftwareStore {
    fn generate(&self, owner: Owner, spec: KeySpec) -> Answer<'_, NewMaterial> {
        Box::pin(async move {
            match spec {
                KeySpec::SymmetricDefault => {
                    let material = symmetric::generate(self.keyring.random())?;
                    self.seal(owner, material.expose(), None)
                }
                spec => {
                    if let Some(spec) = mac::spec(spec) {
                        let key = MacKey::generate(spec, self.keyring.random())?;
                        return self.seal(owner, key.to_record().expose(), None);
                    }
                    let pair_spec = pairs::spec(spec).ok_or(StoreError::Unsupported(spec))?;
                    let pair = self.stock.take(Some(owner.account), pair_spec).await?;
                    self.seal(owner, pair.to_record().expose(), Some(pair.public().spki().into()))
                }
            }
        })
    }

    fn import_parameters(
        &self,
        owner: Owner,
        wrapping: Wrapping,
        now: Timestamp,
    ) -> Answer<'_, ImportParameters> {
        Box::pin(async move {
            let pair = self.stock.take(Some(owner.account), import::wrapping_key(wrapping.spec)?).await?;
            import::parameters(&self.keyring, owner, wrapping, &pair, now)
        })
    }

    fn import(
        &self,
        owner: Owner,
        spec: KeySpec,
        wrapped: Wrapped,
        now: Timestamp,
    ) -> Answer<'_, NewMaterial> {
        Box::pin(async move {
            let token = import::open_token(&self.keyring, owner, &wrapped.token, now)?;
            // Preparing an RSA key and decrypting with it take milliseconds.
            let unwrap = move || import::unwrap(&token, spec, &wrapped.material);
            let material = self.pool.run(Some(owner.account), unwrap).await??;
            self.seal(owner, material.record.expose(), material.public)
        })
    }

    fn take(&self, owner: Owner, spec: KeySpec, material: SecretBytes) -> Answer<'_, NewMaterial> {
        Box::pin(async move {
            let read = move || import::read(spec, material);
            let material = self.pool.run(Some(owner.account), read).await??;
            self.seal(owner, material.record.expose(), material.public)
        })
    }

    fn open<'a>(&'a self, key: &'a Key, material: &'a Material) -> Answer<'a, OpenedKey> {
        Box::pin(async move {
            let record = self.unseal(key, material)?;
            let opened = match (key.spec, mac::spec(key.spec), pairs::spec(key.spec)) {
                (KeySpec::SymmetricDefault, ..) => symmetric::open(&self.keyring, key, material.id, &record),
                (_, Some(spec), _) => mac::open(spec, record.expose()),
                (_, _, Some(spec)) => pairs::open(spec, key, record, &self.pool).await?,
                (spec, None, None) => return Err(StoreError::Unsupported(spec)),
            };
            let what = || format!("material {} of {}", material.id, key.arn());
            opened.ok_or_else(|| StoreError::Unsealable { what: what() })
        })
    }

    fn reseal(&self, key: &Key, material: &Material, region: Region) -> Result<Vec<u8>, StoreError> {
        let (opened, owner) = (self.unseal(key, material)?, Owner { region, ..Owner::of(key) });
        bound_to(owner, &material.id, |purpose| self.keyring.seal(domain(owner), purpose, opened.expose()))
    }

    fn hand_over(&self, key: &Key, material: &Material, under: &Key256) -> Result<Vec<u8>, StoreError> {
        let (opened, random) = (self.unseal(key, material)?, self.keyring.random());
        bound_to(Owner::of(key), &material.id, |purpose| {
            Ok(envelope::seal(under.expose(), purpose, opened.expose(), random)?)
        })
    }

    fn take_over(&self, key: &Key, material: &Material, under: &Key256) -> Result<Vec<u8>, StoreError> {
        let owner = Owner::of(key);
        bound_to(owner, &material.id, |purpose| {
            let opened = envelope::open(under.expose(), purpose, &material.sealed);
            let opened = opened.map_err(|_| StoreError::Unsealable { what: format!("{purpose:?}") })?;
            self.keyring.seal(domain(owner), purpose, opened.expose())
        })
    }

    fn generate_pair(&self, account: AccountId, spec: DataKeyPairSpec) -> Answer<'_, Pair> {
        Box::pin(async move {
            let pair = self.stock.take(Some(account), pairs::data_spec(spec)?).await?;
            Ok(Pair { private: pair.to_pkcs8(), public: pair.public().spki().to_vec() })
        })
    }

    fn compute(&self, account: AccountId, work: Box<dyn FnOnce() + Send>) -> Answer<'_, ()> {
        Box::pin(self.pool.run(Some(account), work))
    }
}

fn domain(owner: Owner) -> RingName {
    RingName::Domain { account: owner.account, region: owner.region }
}

/// What sealed material is bound to: another key, Region or account cannot open it, nor another material id.
fn bound_to<R>(owner: Owner, id: &MaterialId, use_it: impl FnOnce(&Purpose<'_>) -> R) -> R {
    let Owner { account, region, key } = owner;
    let key = key.to_string();
    use_it(&Purpose::new(
        label::KEY_MATERIAL,
        &[
            ("account", account.as_str().as_bytes()),
            ("region", region.as_str().as_bytes()),
            ("key", key.as_bytes()),
            ("material", &id.0),
        ],
    ))
}

fn blob_key_id(id: KeyId) -> BlobKeyId {
    BlobKeyId { multi_region: id.is_multi_region(), uuid: id.uuid() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trent_crypto::SystemRandom;
    use trent_crypto::asymmetric::{EncryptionAlgorithm, KeyPairSpec, PublicKey};
    use trent_domain::algorithms::usages;
    use trent_domain::lifecycle::Lifecycle;
    use trent_domain::time::Timestamp;
    use trent_protocol::{KeyManager, KeyUsage, Origin, WrappingAlgorithm, WrappingKeySpec};

    use super::*;

    fn store() -> SoftwareStore {
        let keyring = Arc::new(Keyring::new(&Key256::new([7; 32]), Arc::new(SystemRandom::default())));
        for region in ["eu-central-1", "us-west-2"] {
            let region = region.parse().unwrap();
            let domain = RingName::Domain { account: "111122223333".parse().unwrap(), region };
            let names = [RingName::MaterialIds, RingName::ImportTokens, domain];
            for name in names.into_iter().filter(|name| !keyring.has(*name)) {
                keyring.admit(name, &keyring.create(name).unwrap().sealed).unwrap();
            }
        }
        SoftwareStore::new(keyring).unwrap()
    }

    fn key(spec: KeySpec, usage: KeyUsage) -> Key {
        Key {
            id: "0198c5a4-7a3e-7000-8000-000000000001".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            spec,
            usage,
            origin: Origin::AwsKms,
            manager: KeyManager::Customer,
            description: String::new(),
            created: Timestamp::from_millis(0),
            lifecycle: Lifecycle::Enabled,
            policy: None,
            tags: BTreeMap::new(),
            schedule: None,
            materials: Vec::new(),
            in_store: None,
            multi_region: None,
            version: 1,
        }
    }

    async fn material(store: &SoftwareStore, key: &Key) -> Material {
        let NewMaterial { id, public, sealed } = store.generate(Owner::of(key), key.spec).await.unwrap();
        Material { id, created: Timestamp::from_millis(0), rotation: None, public, imported: None, sealed }
    }

    fn usage_of(opened: &OpenedKey) -> KeyUsage {
        match opened {
            OpenedKey::Symmetric(_) | OpenedKey::Inner(_) | OpenedKey::Decryption(_) => {
                KeyUsage::EncryptDecrypt
            }
            OpenedKey::Signing(_) => KeyUsage::SignVerify,
            OpenedKey::Mac(_) => KeyUsage::GenerateVerifyMac,
            OpenedKey::Agreement(_) => KeyUsage::KeyAgreement,
            OpenedKey::Encapsulation(_) => KeyUsage::EncapsulateDecapsulate,
        }
    }

    fn quick() -> impl Iterator<Item = KeySpec> {
        use KeySpec as S;
        let slow = [S::Rsa3072, S::Rsa4096];
        let here = |spec: &KeySpec| *spec != S::Sm2 || crate::HAS_SM2;
        KeySpec::ALL.into_iter().filter(here).filter(move |spec| !slow.contains(spec))
    }

    #[tokio::test]
    async fn what_is_sealed_for_another_region_opens_there_alone_and_is_the_same_material() {
        let store = store();
        let here = key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt);
        let there = Key { region: "us-west-2".parse().unwrap(), ..here.clone() };
        let made = material(&store, &here).await;
        let copy = Material { sealed: store.reseal(&here, &made, there.region).unwrap(), ..made.clone() };
        assert!(store.open(&here, &copy).await.is_err());
        assert!(store.open(&there, &made).await.is_err());
        let unsealed = store.unseal(&there, &copy).unwrap();
        assert_eq!(unsealed.expose(), store.unseal(&here, &made).unwrap().expose());
        // Nothing is copied of what does not open.
        let damaged = Material { sealed: vec![0; made.sealed.len()], ..made };
        assert!(store.reseal(&here, &damaged, there.region).is_err());
    }

    #[tokio::test]
    async fn a_key_of_every_spec_opens_for_its_usage_alone() {
        let store = store();
        for spec in quick() {
            for usage in usages(spec) {
                let key = key(spec, *usage);
                let material = material(&store, &key).await;
                let opened = store.open(&key, &material).await.unwrap();
                assert_eq!(usage_of(&opened), *usage, "{spec}");
                let is_pair =
                    !matches!(usage, KeyUsage::GenerateVerifyMac) && spec != KeySpec::SymmetricDefault;
                assert_eq!(material.public.is_some(), is_pair, "{spec}");
            }
        }
    }

    #[tokio::test]
    async fn material_of_one_key_is_not_that_of_another_spec_key_or_region() {
        let store = store();
        for spec in quick() {
            let own = key(spec, usages(spec)[0]);
            let material = material(&store, &own).await;
            let other_spec = match spec {
                KeySpec::Hmac256 => KeySpec::Hmac512,
                _ => KeySpec::Hmac256,
            };
            let others = [
                Key { spec: other_spec, ..own.clone() },
                Key { id: "0198c5a4-7a3e-7000-8000-000000000002".parse().unwrap(), ..own.clone() },
                Key { region: "us-west-2".parse().unwrap(), ..own.clone() },
            ];
            for other in others {
                let refused = store.open(&other, &material).await.err();
                assert!(matches!(refused, Some(StoreError::Unsealable { .. })), "{spec}: {refused:?}");
            }
            let mut altered = material.clone();
            *altered.sealed.last_mut().unwrap() ^= 1;
            assert!(store.open(&own, &altered).await.is_err(), "{spec}");
        }
    }

    #[tokio::test]
    async fn a_token_is_for_one_key_in_one_region_of_one_account_and_for_a_day() {
        let store = store();
        let own = Owner::of(&key(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt));
        let wrapping =
            Wrapping { algorithm: WrappingAlgorithm::RsaesOaepSha256, spec: WrappingKeySpec::Rsa2048 };
        let now = Timestamp::from_millis(0);
        let parameters = store.import_parameters(own, wrapping, now).await.unwrap();
        assert_eq!(parameters.valid_to, now.plus_hours(24));
        let public = PublicKey::from_spki(KeyPairSpec::Rsa2048, &parameters.public).unwrap();
        let sealed = public.encrypt(EncryptionAlgorithm::RsaesOaepSha256, &[5; 32]).unwrap();
        let import = async |owner, now| {
            let wrapped = Wrapped { token: parameters.token.clone(), material: sealed.clone() };
            store.import(owner, KeySpec::SymmetricDefault, wrapped, now).await
        };
        for other in [
            Owner { account: "444455556666".parse().unwrap(), ..own },
            Owner { region: "us-west-2".parse().unwrap(), ..own },
            Owner { key: "0198c5a4-7a3e-7000-8000-000000000002".parse().unwrap(), ..own },
        ] {
            let refused = import(other, now).await.err();
            assert!(matches!(refused, Some(StoreError::InvalidImportToken)), "{refused:?}");
        }
        let last = import(own, now.plus_hours(24)).await.unwrap();
        // The same id each time, sealed anew each time.
        let first = import(own, now).await.unwrap();
        assert!(first.id == last.id && first.sealed != last.sealed);
        let refused = import(own, Timestamp::from_millis(now.plus_hours(24).millis() + 1)).await.err();
        assert!(matches!(refused, Some(StoreError::ExpiredImportToken)), "{refused:?}");
    }

    #[cfg(not(feature = "sm"))]
    #[tokio::test]
    async fn there_are_no_keys_of_sm2() {
        let key = key(KeySpec::Sm2, KeyUsage::SignVerify);
        let refused = store().generate(Owner::of(&key), key.spec).await.err();
        assert!(matches!(refused, Some(StoreError::Unsupported(KeySpec::Sm2))), "{refused:?}");
    }
}
