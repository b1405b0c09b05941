//! DeleteAlias: takes a name away; the key stays.

use trent_domain::alias::AliasName;
use trent_domain::identifier::AliasArn;
use trent_protocol::{DeleteAliasRequest, ErrorCode, NoOutput};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DeleteAliasRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let name = AliasName::parse(&self.alias_name)?;
        let permit = ctx.gate().authorize_alias_deletion(&name, &ctx.facts()).await;
        // The alias is what the operation is about, and stands first in its record.
        if permit.is_ok() {
            ctx.note_alias(&name);
        }
        let permit = ctx.noted(permit)?;
        permit
            .change("delete alias", move |key, transaction| {
                let (account, region) = (key.account, key.region);
                // It may have been deleted, or pointed at another key, since the permit was given.
                match transaction.alias(account, region, name.as_str())? {
                    Some(alias) if alias.target == key.id => {
                        Ok(transaction.delete_alias(account, region, name.as_str())?)
                    }
                    _ => {
                        let arn = AliasArn { account, region, name: name.clone() };
                        Err(KmsError::new(ErrorCode::NotFound, format!("Alias {arn} is not found.")))
                    }
                }
            })
            .await?;
        Ok(NoOutput)
    }
}
