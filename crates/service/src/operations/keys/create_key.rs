//! CreateKey: keys whose material trent makes, alone or with an external key manager, or that wait for it to be imported;
//! single-Region, or multi-Region primaries.

use std::collections::BTreeMap;
use std::sync::Arc;

use trent_audit::backing_key;
use trent_database::{Database, Transaction};
use trent_domain::algorithms::usages;
use trent_domain::identifier::{AccountId, KeyId, Region};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::multi_region::MultiRegion;
use trent_domain::tags;
use trent_gate::{AuthorizedAccount, CreateKey, Facts, NewHsmKey, Parameters, TagResource};
use trent_protocol::{CreateKeyRequest, CreateKeyResponse, ErrorCode, KeyManager, KeySpec, KeyUsage, Origin};

use super::in_store;
use super::metadata::metadata;
use crate::context::Context;
use crate::error::KmsError;
use crate::operations::policies::checks::{self, bypass_parameter};
use crate::pipeline::Handle;

impl Handle for CreateKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<CreateKeyResponse, KmsError> {
        let spec = spec(&self)?;
        let in_store = in_store::Wanted::parse(&self, spec)?;
        let usage = usage(spec, self.key_usage)?;
        if spec == KeySpec::Sm2 && !trent_gate::HAS_SM2 {
            return Err(KmsError::unsupported_spec(spec));
        }
        let tags = tags::parse(self.tags.into_iter().flatten().map(|tag| (tag.tag_key, tag.tag_value)))?;

        let origin = self.origin.unwrap_or(Origin::AwsKms);
        let multi_region = self.multi_region == Some(true);
        let bypass = self.bypass_policy_lockout_safety_check;
        let permit = authorize(&Wanted { spec, usage, origin, multi_region, bypass, tags: &tags }, ctx)?;
        let id = KeyId::generate(ctx.now, ctx.service.random_array()?, multi_region);
        let mut key = Key {
            id,
            account: permit.account(),
            region: permit.region(),
            spec,
            usage,
            origin,
            manager: KeyManager::Customer,
            description: self.description.unwrap_or_default(),
            created: ctx.now,
            lifecycle: Lifecycle::PendingImport,
            policy: None,
            tags,
            schedule: None,
            materials: Vec::new(),
            in_store: None,
            multi_region: multi_region.then(|| MultiRegion::primary(permit.region())),
            version: 0,
        };
        if let Some(text) = &self.policy {
            key.policy = Some(checks::accept(text, &key, bypass, ctx).await?);
        }
        let keys_max = ctx.service.options.keys_per_region_max;
        // Asked before, too: whoever is at the quota must not keep cores or proxies busy for nothing.
        if spec != KeySpec::SymmetricDefault || in_store.is_some() {
            let (account, region) = (permit.account(), permit.region());
            let count = trent_database::read(ctx.database(), move |records| {
                records.customer_key_count(account, region)
            });
            check_room(count.await?, keys_max)?;
        }
        let (mut hsm_key, mut cluster) = (None, None);
        if let Some(wanted) = in_store {
            let found = wanted.find(&key, &permit, ctx).await?;
            (hsm_key, cluster) = (found.hsm_key, found.cluster);
            key.in_store = Some(found.place);
        }
        // Otherwise its material is imported later, or with HSMs alone.
        if !matches!(origin, Origin::External | Origin::AwsCloudhsm) {
            key.materials.push(permit.make_material(id, spec).await?.into_material(ctx.now, None));
        }
        if origin != Origin::External {
            key.lifecycle = Lifecycle::Enabled;
        }
        let (arn, hsm_key_id) = (key.arn(), key.hsm_key());
        let answer =
            CreateKeyResponse { key_metadata: Some(metadata(&key, key.state(), cluster.as_deref())) };
        keep(key, hsm_key, keys_max, ctx).await?;
        ctx.event.resource(&arn.to_string());
        if let Some(id) = hsm_key_id {
            ctx.event.additional("backingKey", &backing_key(&id.to_string()));
        }
        Ok(answer)
    }
}

/// Makes the record of a key, of which there may be something in HSMs already: that stays exactly if there is a record of it.
async fn keep(
    key: Key,
    hsm_key: Option<NewHsmKey>,
    keys_max: u64,
    ctx: &Context<'_>,
) -> Result<(), KmsError> {
    let Some(mut hsm_key) = hsm_key else { return insert(ctx.database(), key, keys_max).await };
    let database = Arc::clone(&ctx.service.database);
    // A task, which goes on when the caller hangs up.
    let inserted = tokio::spawn(async move {
        hsm_key.submitted();
        insert(&*database, key, keys_max).await.inspect_err(|_| hsm_key.refused())
    });
    inserted.await.map_err(|error| KmsError::internal(&error))?
}

async fn insert(database: &dyn Database, key: Key, keys_max: u64) -> Result<(), KmsError> {
    trent_database::write(database, "create key", move |transaction| {
        check_quota(transaction, key.account, key.region, keys_max)?;
        in_store::check_again(transaction, &key)?;
        Ok::<_, KmsError>(transaction.insert_key(&key)?)
    })
    .await?
}

/// What a request wants, as far as policies may set conditions on it.
struct Wanted<'a> {
    spec: KeySpec,
    usage: KeyUsage,
    origin: Origin,
    multi_region: bool,
    bypass: Option<bool>,
    tags: &'a BTreeMap<String, String>,
}

fn authorize<'a>(
    wanted: &Wanted<'_>,
    ctx: &Context<'a>,
) -> Result<AuthorizedAccount<'a, CreateKey>, KmsError> {
    let mut asked = vec![
        ("keyspec", wanted.spec.as_str()),
        ("keyusage", wanted.usage.as_str()),
        ("keyorigin", wanted.origin.as_str()),
        ("multiregion", if wanted.multi_region { "true" } else { "false" }),
    ];
    asked.extend(wanted.multi_region.then_some(("multiregionkeytype", "PRIMARY")));
    asked.extend(wanted.bypass.map(bypass_parameter));
    let tags = Some(wanted.tags).filter(|tags| !tags.is_empty());
    let parameters = Parameters { values: &asked, tags, ..Parameters::default() };
    let facts = Facts { parameters, ..ctx.facts() };
    let permit = ctx.gate().authorize_account::<CreateKey>(&facts)?;
    if tags.is_some() {
        let _ = ctx.gate().authorize_account::<TagResource>(&facts)?;
    }
    Ok(permit)
}

/// Whether there is room for another key of an account in a Region.
pub(crate) fn check_quota(
    records: &dyn Transaction,
    account: AccountId,
    region: Region,
    keys_max: u64,
) -> Result<(), KmsError> {
    check_room(records.customer_key_count(account, region)?, keys_max)
}

fn check_room(count: u64, keys_max: u64) -> Result<(), KmsError> {
    if count >= keys_max {
        let text = format!(
            "Key quota for this account in this region is {keys_max} but the current usage is {count}."
        );
        return Err(KmsError::new(ErrorCode::LimitExceeded, text));
    }
    Ok(())
}

fn spec(request: &CreateKeyRequest) -> Result<KeySpec, KmsError> {
    match (request.key_spec, request.customer_master_key_spec) {
        (Some(_), Some(_)) => Err(KmsError::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
        )),
        (Some(spec), None) => Ok(spec),
        (None, Some(old)) => {
            KeySpec::parse(old.as_str()).ok_or_else(|| unsupported(&format!("{old} is no KeySpec.")))
        }
        (None, None) => Ok(KeySpec::SymmetricDefault),
    }
}

fn usage(spec: KeySpec, usage: Option<KeyUsage>) -> Result<KeyUsage, KmsError> {
    let usage = match usage {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt,
        None => {
            return Err(KmsError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
    };
    if usages(spec).contains(&usage) {
        Ok(usage)
    } else {
        Err(KmsError::validation(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")))
    }
}

fn unsupported(text: &str) -> KmsError {
    KmsError::new(ErrorCode::UnsupportedOperation, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spec_has_the_usages_of_the_developer_guide() {
        let refused = usage(KeySpec::Rsa2048, Some(KeyUsage::KeyAgreement)).unwrap_err();
        assert_eq!(
            refused.message.unwrap(),
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048"
        );
        let refused = usage(KeySpec::EccNistP256, Some(KeyUsage::EncryptDecrypt)).unwrap_err();
        assert_eq!(
            refused.message.unwrap(),
            "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256"
        );
        assert!(usage(KeySpec::Hmac256, None).is_err());
        assert_eq!(usage(KeySpec::SymmetricDefault, None), Ok(KeyUsage::EncryptDecrypt));
    }
}
