//! ReplicateKey: a key in another Region with the id, the material and the rotation of a multi-Region primary.
//!
//! Description, tags, policy and state are the replica's own. It can be used as soon as this is answered, unless its
//! material has to be imported; the answer calls it `Creating`, as AWS does.

use trent_audit::Internal;
use trent_database::Transaction;
use trent_domain::identifier::Region;
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::tags;
use trent_gate::{Facts, Parameters, ReplicaTags};
use trent_protocol::{ErrorCode, Operation, Origin, ReplicateKeyRequest, ReplicateKeyResponse, Tag};

use super::region;
use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::{check_quota, metadata};
use crate::operations::policies::checks::{self, bypass_parameter};
use crate::operations::policies::policy_text;
use crate::pipeline::Handle;

impl Handle for ReplicateKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ReplicateKeyResponse, KmsError> {
        let region = region(&self.replica_region)?;
        // What AWS counts a replica as, beside the request itself.
        ctx.count(|quotas| quotas.elsewhere(Operation::CreateKey, 2, region, ctx.call, ctx.now))?;
        let tags = tags::parse(self.tags.into_iter().flatten().map(|tag| (tag.tag_key, tag.tag_value)))?;
        let tagged = if tags.is_empty() { ReplicaTags::None } else { ReplicaTags::Some };
        let bypass = self.bypass_policy_lockout_safety_check;
        let mut asked = vec![("replicaregion", region.as_str())];
        asked.extend(bypass.map(bypass_parameter));
        let parameters = Parameters { values: &asked, tags: Some(&tags), ..Parameters::default() };
        let facts = Facts { parameters, ..ctx.facts() };
        let permit =
            ctx.noted(ctx.gate().authorize_replication(&self.key_id, region, tagged, &facts).await)?;
        check_region(permit.key(), region, ctx)?;
        let description = self.description.unwrap_or_default();
        let made = Key {
            region,
            description: description.clone(),
            policy: None,
            tags: tags.clone(),
            created: ctx.now,
            ..permit.key().clone()
        };
        let policy = match &self.policy {
            Some(text) => Some(checks::accept(text, &made, bypass, ctx).await?),
            None => None,
        };
        let (created, keys_max) = (ctx.now, ctx.service.options.keys_per_region_max);
        let creating = Lifecycle::Creating { until: ctx.settled_at() };
        // Whoever imported material imports it in each Region.
        let has_material = permit.key().origin != Origin::External;
        let lifecycle = creating.clone().settle(ctx.now, has_material);
        let replica = permit
            .replicate(region, move |primary, transaction| {
                check_room(primary, region, keys_max, transaction)?;
                Ok::<_, KmsError>(Key {
                    description: description.clone(),
                    created,
                    lifecycle: lifecycle.clone(),
                    policy: policy.clone(),
                    tags: tags.clone(),
                    ..primary.clone()
                })
            })
            .await?;
        ctx.event.follow(Internal::call("CreateKey", replica.arn().to_string()));
        ctx.event.follow(Internal::synchronize(permit.arn_text().to_owned()));
        let replica_policy = Some(policy_text(&replica, ctx)?);
        let shown = Key { lifecycle: creating, ..replica };
        Ok(ReplicateKeyResponse {
            replica_policy,
            replica_tags: tags_of(&shown),
            replica_key_metadata: Some(metadata(&shown, shown.state(), None)),
        })
    }
}

/// Whether trent has this Region, and can have a replica of the key in it.
fn check_region(primary: &Key, region: Region, ctx: &Context<'_>) -> Result<(), KmsError> {
    let unsupported = |text: String| Err(KmsError::new(ErrorCode::UnsupportedOperation, text));
    let enabled = ctx.service.options.regions.as_ref().is_none_or(|regions| regions.contains(&region));
    if !enabled || region.partition() != primary.region.partition() {
        return unsupported(format!("{} cannot be replicated to Region {region}.", primary.arn()));
    }
    let taken = primary.region == region || primary.related_regions().any(|related| related == region);
    if taken { Err(exists(primary, region)) } else { Ok(()) }
}

fn check_room(
    primary: &Key,
    region: Region,
    keys_max: u64,
    transaction: &mut dyn Transaction,
) -> Result<(), KmsError> {
    if transaction.key(region, primary.id)?.is_some() {
        return Err(exists(primary, region));
    }
    check_quota(transaction, primary.account, region, keys_max)
}

fn exists(primary: &Key, region: Region) -> KmsError {
    KmsError::new(ErrorCode::AlreadyExists, format!("Key '{}' already exists", primary.arn_in(region)))
}

// Recorded: absent where there are none.
fn tags_of(replica: &Key) -> Option<Vec<Tag>> {
    let tags = replica.tags.iter();
    let tags = tags.map(|(tag, value)| Tag { tag_key: tag.clone(), tag_value: value.clone() }).collect();
    (!replica.tags.is_empty()).then_some(tags)
}
