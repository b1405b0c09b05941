//! CreateAlias: gives a key a friendly name, unique in account and Region.

use trent_domain::alias::{Alias, AliasName};
use trent_protocol::{CreateAliasRequest, ErrorCode, NoOutput};

use super::target;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for CreateAliasRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let name = AliasName::parse(&self.alias_name)?;
        target::check(&self.target_key_id)?;
        let permit = ctx.gate().authorize_new_alias(&name, &self.target_key_id, &ctx.facts()).await;
        let permit = ctx.noted(permit)?;
        ctx.note_alias(&name);
        let now = ctx.now;
        permit
            .change("create alias", move |key, transaction| {
                let (account, region, target) = (key.account, key.region, key.id);
                let alias = Alias { account, region, name: name.clone(), target, created: now, updated: now };
                if transaction.alias(account, region, name.as_str())?.is_some() {
                    let text = format!("An alias with the name {} already exists", alias.arn());
                    return Err(KmsError::new(ErrorCode::AlreadyExists, text));
                }
                target::check_quota(transaction, region, target)?;
                Ok(transaction.insert_alias(&alias)?)
            })
            .await?;
        Ok(NoOutput)
    }
}
