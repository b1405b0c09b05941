//! ListGrants: the grants of a key, all of them, those for one grantee, or one.

use trent_domain::grant::{Grant, PrincipalId};
use trent_domain::identifier::{GrantId, KeyArn};
use trent_gate::{GrantError, ListGrants, MarkerScope};
use trent_protocol::{ListGrantsRequest, ListGrantsResponse, Operation};

use super::entry::entry;
use super::parse_id;
use super::principals::Named;
use crate::context::Context;
use crate::error::KmsError;
use crate::page::{MEDIUM, Page};
use crate::pipeline::Handle;

impl Handle for ListGrantsRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListGrantsResponse, KmsError> {
        let size = MEDIUM.asked(self.limit)?;
        let (principal, service) =
            (self.grantee_principal.as_deref(), self.grantee_service_principal.as_deref());
        let grantee = Named::parse(principal, service, "Grantee")?;
        let id = self.grant_id.as_deref().map(parse_id).transpose()?;
        let permit = ctx.authorize::<ListGrants>(&self.key_id, None).await?;
        let key = permit.arn();
        let grantee = grantee.map(|grantee| grantee.resolve(ctx)).transpose()?;
        let filter = [
            key.id.to_string(),
            grantee.as_ref().map(PrincipalId::to_string).unwrap_or_default(),
            id.as_ref().map(GrantId::to_string).unwrap_or_default(),
        ]
        .join("/");
        let scope = MarkerScope {
            operation: Operation::ListGrants,
            account: key.account,
            region: key.region,
            filter: &filter,
        };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let grants = match id {
            Some(id) => one(key, id, grantee, ctx).await?,
            None => many(key, grantee, &page, ctx).await?,
        };
        let cut = page.cut(ctx.gate(), grants, |grant| grant.id.to_string())?;
        let directory = ctx.service.directory();
        Ok(ListGrantsResponse {
            grants: Some(cut.items.iter().map(|grant| entry(grant, &directory)).collect()),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}

async fn one(
    key: KeyArn,
    id: GrantId,
    grantee: Option<PrincipalId>,
    ctx: &Context<'_>,
) -> Result<Vec<Grant>, KmsError> {
    let found =
        trent_database::read(ctx.database(), move |records| records.grant(key.region, key.id, id)).await?;
    let found = found.ok_or_else(|| GrantError::InvalidId(id.to_string()))?;
    Ok(Some(found)
        .filter(|grant| grantee.is_none_or(|grantee| grant.terms.grantee == grantee))
        .into_iter()
        .collect())
}

async fn many(
    key: KeyArn,
    grantee: Option<PrincipalId>,
    page: &Page<'_>,
    ctx: &Context<'_>,
) -> Result<Vec<Grant>, KmsError> {
    let after = page.after.as_ref().and_then(|after| after.parse().ok());
    let fetch = page.fetch();
    let list = move |records: &dyn trent_database::Records| {
        records.grants(key.region, key.id, grantee.as_ref(), after, fetch)
    };
    Ok(trent_database::read(ctx.database(), list).await?)
}
