//! UpdateAlias: lets an alias stand for another key of the same kind.

use trent_database::Transaction;
use trent_domain::alias::{Alias, AliasName};
use trent_domain::identifier::AliasArn;
use trent_domain::key::Key;
use trent_domain::time::Timestamp;
use trent_gate::UpdateAlias;
use trent_protocol::{ErrorCode, NoOutput, UpdateAliasRequest};

use super::target;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for UpdateAliasRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let name = AliasName::parse(&self.alias_name)?;
        target::check(&self.target_key_id)?;
        let permit = ctx.authorize::<UpdateAlias>(&self.target_key_id, None).await?;
        ctx.note_alias(&name);
        ctx.gate().authorize_alias::<UpdateAlias>(&name, &ctx.facts())?;
        let now = ctx.now;
        permit.change("update alias", move |key, transaction| repoint(&name, key, transaction, now)).await?;
        Ok(NoOutput)
    }
}

fn repoint(
    name: &AliasName,
    key: &Key,
    transaction: &mut dyn Transaction,
    now: Timestamp,
) -> Result<(), KmsError> {
    let (account, region) = (key.account, key.region);
    let Some(alias) = transaction.alias(account, region, name.as_str())? else {
        let arn = AliasArn { account, region, name: name.clone() };
        return Err(KmsError::new(ErrorCode::NotFound, format!("Alias {arn} is not found.")));
    };
    if let Some(current) = transaction.key(region, alias.target)? {
        check_same_kind(name, &current, key)?;
    }
    if alias.target != key.id {
        target::check_quota(transaction, region, key.id)?;
    }
    Ok(transaction.update_alias(&Alias { target: key.id, updated: now, ..alias })?)
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
