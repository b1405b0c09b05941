//! Which keys a request names, without asking whether its caller may know them: for faults of `trent dev`.

use trent_crypto::ciphertext;
use trent_domain::identifier::{KeyId, KeyName};

use crate::context::Call;
use crate::open::Service;

impl Service {
    /// The ids of the keys that these names and this ciphertext name, as far as they can be told.
    pub async fn keys_named(&self, names: &[&str], blob: Option<&[u8]>, call: &Call<'_>) -> Vec<KeyId> {
        let made_by = blob.and_then(|blob| ciphertext::read_header(blob).ok());
        let made_by = made_by.map(|header| KeyId::from_parts(header.key_id.uuid, header.key_id.multi_region));
        let mut keys: Vec<_> = made_by.into_iter().collect();
        for name in names {
            let (account, alias) = match KeyName::parse(name, call.region) {
                Ok(KeyName::Id(id)) => {
                    keys.push(id);
                    continue;
                }
                Ok(KeyName::Arn(arn)) => {
                    keys.push(arn.id);
                    continue;
                }
                Ok(KeyName::Alias(alias)) => (call.caller.account, alias),
                Ok(KeyName::AliasArn(arn)) => (arn.account, arn.name),
                Err(_) => continue,
            };
            let region = call.region;
            let found = trent_database::read(&*self.database, move |records| {
                records.alias(account, region, alias.as_str())
            });
            // The request itself is told what is wrong with the database.
            keys.extend(found.await.ok().flatten().map(|alias| alias.target));
        }
        keys
    }
}
