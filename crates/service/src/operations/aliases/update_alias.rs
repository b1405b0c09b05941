//! UpdateAlias: lets an alias stand for another key of the same kind.

use trent_database::Transaction;
use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::{AliasArn, KeyId};
use trent_domain::key::Key;
use trent_domain::time::Timestamp;
use trent_protocol::{ErrorCode, NoOutput, UpdateAliasRequest};

use super::target;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

/// How often a caller is asked for again when somebody else moves the alias at the same time.
const ATTEMPTS: usize = 8;

impl Handle for UpdateAliasRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let name = AliasName::parse(&self.alias_name)?;
        target::check(&self.target_key_id)?;
        let now = ctx.now;
        for _ in 0..ATTEMPTS {
            let facts = ctx.facts();
            let (permit, allowed) = ctx
                .gate()
                .authorize_alias_update(&name, &self.target_key_id, &facts)
                .await
                .map_err(|r| ctx.refused(r))?;
            ctx.event.resource(permit.arn_text());
            ctx.note_alias(&name);
            let name = name.clone();
            let changed = permit.change("update alias", move |key, transaction| {
                repoint(&name, key, allowed, transaction, now)
            });
            if let Repointed::Done = changed.await? {
                return Ok(NoOutput);
            }
        }
        Err(KmsError::bare(ErrorCode::DependencyTimeout))
    }
}

/// Whether an alias was pointed at another key.
enum Repointed {
    /// It was.
    Done,
    /// It stands for another key than the one that the caller was allowed to take it from.
    Moved,
}

fn repoint(
    name: &AliasName,
    key: &Key,
    allowed: Option<KeyId>,
    transaction: &mut dyn Transaction,
    now: Timestamp,
) -> Result<Repointed, KmsError> {
    let (account, region) = (key.account, key.region);
    let Some(alias) = transaction.alias(account, region, name.as_str())? else {
        let arn = AliasArn { account, region, name: name.clone() };
        return Err(KmsError::new(ErrorCode::NotFound, format!("Alias {arn} is not found.")));
    };
    if allowed != Some(alias.target) {
        return Ok(Repointed::Moved);
    }
    if let Some(current) = transaction.key(region, alias.target)? {
        check_same_kind(name, &current, key)?;
    }
    if alias.target != key.id {
        target::check_quota(transaction, region, key.id)?;
    }
    transaction.update_alias(&Alias { target: key.id, updated: now, ..alias })?;
    Ok(Repointed::Done)
}

fn check_same_kind(name: &AliasName, current: &Key, new: &Key) -> Result<(), KmsError> {
    if current.usage == new.usage {
        return Ok(());
    }
    Err(KmsError::validation(format!(
        "Alias {name} cannot be changed from a CMK with key usage {} to a CMK with key usage {}. \
         The key usage of the current CMK and the new CMK must be the same.",
        current.usage, new.usage
    )))
}
