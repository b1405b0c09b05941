//! Permits to change aliases: of the alias, by identity policies, and of each key that it stands for.

use trent_domain::alias::AliasName;
use trent_domain::identifier::{AliasArn, KeyId};

use crate::actions::{CreateAlias, DeleteAlias, UpdateAlias};
use crate::authorize::Authorized;
use crate::decision::on_alias;
use crate::facts::Facts;
use crate::find::{Found, FoundBy};
use crate::opening::Gate;
use crate::refusal::Refusal;

impl Gate {
    /// A permit to give the key that `target` names an alias.
    pub async fn authorize_new_alias(
        &self,
        alias: &AliasName,
        target: &str,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, CreateAlias>, Refusal> {
        let mut found = self.find::<CreateAlias>(target, facts).await?;
        on_alias::<CreateAlias>(alias, facts)?;
        self.allow::<CreateAlias>(&mut found, facts).await?;
        self.admit(found.entry, None).await
    }

    /// A permit to let an alias stand for the key that `target` names, and the key that it may be taken from.
    pub async fn authorize_alias_update(
        &self,
        alias: &AliasName,
        target: &str,
        facts: &Facts<'_>,
    ) -> Result<(Authorized<'_, UpdateAlias>, Option<KeyId>), Refusal> {
        let mut new = self.find::<UpdateAlias>(target, facts).await?;
        on_alias::<UpdateAlias>(alias, facts)?;
        let current = self.alias_target(facts.caller.account, facts.region, alias).await?;
        if let Some(id) = current.filter(|id| *id != new.entry.key.id)
            && let Some(entry) = self.entry(facts.region, id).await?
        {
            self.allow::<UpdateAlias>(&mut Found::new(entry, FoundBy::Name), facts).await?;
        }
        self.allow::<UpdateAlias>(&mut new, facts).await?;
        Ok((self.admit(new.entry, None).await?, current))
    }

    /// A permit to take an alias of the caller's account away from its key.
    pub async fn authorize_alias_deletion(
        &self,
        alias: &AliasName,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, DeleteAlias>, Refusal> {
        on_alias::<DeleteAlias>(alias, facts)?;
        let (account, region) = (facts.caller.account, facts.region);
        let unknown = || Refusal::UnknownAlias(AliasArn { region, account, name: alias.clone() });
        let id = self.alias_target(account, region, alias).await?.ok_or_else(unknown)?;
        let entry = self.entry(region, id).await?.ok_or_else(unknown)?;
        let mut found = Found::new(entry, FoundBy::Name);
        self.allow::<DeleteAlias>(&mut found, facts).await?;
        self.admit(found.entry, None).await
    }
}
