//! ListRetirableGrants: the grants of all keys of a Region, whoever owns them, that name a retiring principal.

use trent_domain::grant::Grant;
use trent_domain::identifier::{GrantId, KeyId};
use trent_domain::identity::Caller;
use trent_gate::{ListRetirableGrants, MarkerScope};
use trent_protocol::{ListRetirableGrantsRequest, ListRetirableGrantsResponse, Operation};

use super::entry::entry;
use super::principals::Named;
use crate::context::Context;
use crate::error::KmsError;
use crate::page::{MEDIUM, Page};
use crate::pipeline::Handle;

impl Handle for ListRetirableGrantsRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListRetirableGrantsResponse, KmsError> {
        let size = MEDIUM.asked(self.limit)?;
        let (principal, service) =
            (self.retiring_principal.as_deref(), self.retiring_service_principal.as_deref());
        let retiring = Named::parse(principal, service, "Retiring")?.ok_or_else(|| {
            KmsError::validation("Either RetiringPrincipal or RetiringServicePrincipal must be given.")
        })?;
        check_own(&retiring, &ctx.call.caller)?;
        let permit = ctx.gate().authorize_account::<ListRetirableGrants>(&ctx.facts())?;
        let (account, region) = (permit.account(), permit.region());
        let retiring = retiring.resolve(ctx)?;
        let filter = retiring.to_string();
        let scope =
            MarkerScope { operation: Operation::ListRetirableGrants, account, region, filter: &filter };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let (after, fetch) = (page.after.as_deref().and_then(parse_position), page.fetch());
        let found = trent_database::read(ctx.database(), move |records| {
            records.retirable_grants(region, &retiring, after, fetch)
        })
        .await?;
        let cut = page.cut(ctx.gate(), found, position)?;
        let directory = ctx.service.directory();
        Ok(ListRetirableGrantsResponse {
            grants: Some(cut.items.iter().map(|grant| entry(grant, &directory)).collect()),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}

/// Of principals of other accounts, and of services, nobody but they themselves learns what they may retire.
fn check_own(retiring: &Named<'_>, caller: &Caller) -> Result<(), KmsError> {
    match retiring {
        Named::Principal(_) if retiring.account() == Some(caller.account) => Ok(()),
        Named::Principal(_) => {
            Err(KmsError::validation("RetiringPrincipal must be a principal of the account of the caller."))
        }
        Named::Service(name) if caller.service_name() == Some(name) => Ok(()),
        Named::Service(_) => {
            Err(KmsError::validation("RetiringServicePrincipal must be the service that makes the request."))
        }
    }
}

fn position(grant: &Grant) -> String {
    format!("{}/{}", grant.key.id, grant.id)
}

fn parse_position(text: &str) -> Option<(KeyId, GrantId)> {
    let (key, id) = text.split_once('/')?;
    Some((key.parse().ok()?, id.parse().ok()?))
}
