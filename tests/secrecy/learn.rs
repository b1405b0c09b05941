//! What a data directory keeps secret, opened with its root key: what the search then looks for.
//!
//! It goes by the formats of the book and `trent_crypto` alone, past the key ring, which gives no key away.

use std::fs;
use std::path::Path;

use trent_crypto::envelope::{self, Purpose, label};
use trent_crypto::root::{self, PassphraseRecord};
use trent_crypto::{CanonicalContext, Key256, SecretBytes, ciphertext};
use trent_database::{Embedded, read};
use trent_domain::identity::AccessKey;
use trent_domain::key::Key;
use trent_testkit::{ACCOUNT, REGION};

use crate::needles::Needles;

/// The secrets of a data directory that nobody uses now.
pub(crate) struct Learned {
    /// By the name of the row.
    pub(crate) ring: Vec<(String, Key256)>,
    /// Materials, with the names of their keys.
    pub(crate) materials: Vec<(String, Key256)>,
    /// Secrets of access keys, with their ids.
    pub(crate) access_keys: Vec<(String, SecretBytes)>,
}

/// Opens everything with the root key.
pub(crate) async fn learn(data: &Path, root: &Key256) -> Learned {
    let database = Embedded::open(data).expect("nobody uses it");
    let (ring, keys, access_keys) = read(&database, |records| {
        let (account, region) = (ACCOUNT.parse().expect("an account"), REGION.parse().expect("a Region"));
        let ids = records.keys(account, region, None, 1000)?;
        let keys: Result<Vec<Option<Key>>, _> = ids.into_iter().map(|id| records.key(region, id)).collect();
        Ok((records.ring_keys()?, keys?, records.access_keys()?))
    })
    .await
    .expect("it can be read");
    let open_ring_key = |name: &str, sealed: &[u8]| {
        let owner = [("name", name.as_bytes())];
        key(open(root, &Purpose::new(label::RING_KEY, &owner), sealed))
    };
    let ring: Vec<_> =
        ring.iter().map(|row| (row.name.clone(), open_ring_key(&row.name, &row.sealed))).collect();
    let by_name = |wanted: &str| &ring.iter().find(|(name, _)| name == wanted).expect("a key of the ring").1;
    let domain = by_name(&format!("domain/{ACCOUNT}/{REGION}"));
    let access = by_name("access-keys");
    let materials = keys.iter().flatten().flat_map(|key| materials(key, domain)).collect();
    let access_keys =
        access_keys.iter().map(|key| (key.id.clone(), access_key_secret(key, access))).collect();
    Learned { materials, access_keys, ring }
}

/// The root key of a root key file.
pub(crate) fn root_of(file: &Path) -> Key256 {
    root::decode_file(&fs::read(file).expect("the root key file")).expect("a root key")
}

/// The root key of a passphrase record.
pub(crate) fn root_of_passphrase(record: &Path, passphrase: &str) -> Key256 {
    let record = PassphraseRecord::decode(&fs::read(record).expect("the record")).expect("a record");
    record.unlock(passphrase.as_bytes()).expect("its passphrase")
}

fn open(under: &Key256, purpose: &Purpose<'_>, sealed: &[u8]) -> SecretBytes {
    envelope::open(under.expose(), purpose, sealed).expect("it opens")
}

fn key(bytes: SecretBytes) -> Key256 {
    Key256::from_slice(bytes.expose()).expect("32 bytes")
}

fn materials(of: &Key, domain: &Key256) -> Vec<(String, Key256)> {
    let id = of.id.to_string();
    let open_one = |material: &trent_domain::rotation::Material| {
        let owner = [
            ("account", of.account.as_str().as_bytes()),
            ("region", of.region.as_str().as_bytes()),
            ("key", id.as_bytes()),
            ("material", &material.id.0[..]),
        ];
        key(open(domain, &Purpose::new(label::KEY_MATERIAL, &owner), &material.sealed))
    };
    of.materials.iter().map(|material| (format!("material of {id}"), open_one(material))).collect()
}

fn access_key_secret(of: &AccessKey, under: &Key256) -> SecretBytes {
    let owner = [("access-key", of.id.as_bytes())];
    open(under, &Purpose::new(label::ACCESS_KEY_SECRET, &owner), &of.sealed_secret)
}

impl Learned {
    /// Whether one of the materials decrypts a blob to this: then it is the one in use.
    pub(crate) fn decrypts(&self, blob: &[u8], plaintext: &[u8]) -> bool {
        let context = CanonicalContext::new(None);
        self.materials.iter().any(|(_, material)| {
            ciphertext::open(material.expose(), &context, blob)
                .is_ok_and(|opened| opened.expose() == plaintext)
        })
    }

    /// Has all of it looked for.
    pub(crate) fn add_to(&self, needles: &mut Needles) {
        for (name, key) in self.ring.iter().chain(&self.materials) {
            needles.add(name, key.expose());
        }
        for (id, secret) in &self.access_keys {
            needles.add(&format!("secret of {id}"), secret.expose());
        }
    }
}
