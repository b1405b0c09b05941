//! CreateGrant: lets a principal use a key, or finds the grant of the same name and terms that does so already.

use trent_database::Records;
use trent_domain::grant::{Constraints, Grant, GrantOperations, OperationsError, Scope, Terms};
use trent_domain::identifier::{GrantId, KeyArn};
use trent_gate::{Authorized, CreateGrant, Parameters, ScopeKeys, UseError};
use trent_protocol::{CreateGrantRequest, CreateGrantResponse, ErrorCode};

use super::principals::Named;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for CreateGrantRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<CreateGrantResponse, KmsError> {
        let (grantee, retiring) = (grantee(&self)?, retiring(&self)?);
        check_service(&self)?;
        let scope = scope(&self)?;
        let permit = authorize(&self, &scope, ctx).await?;
        check_key(&scope, &permit)?;
        let terms = Terms {
            name: self.name.clone(),
            grantee: grantee.resolve(ctx)?,
            retiring: retiring.map(|retiring| retiring.resolve(ctx)).transpose()?,
            issuer: ctx.call.caller.account,
            scope,
        };
        let (key, max) = (permit.arn(), ctx.service.options.grants_per_key_max);
        if self.dry_run == Some(true) {
            trent_database::read(ctx.database(), move |records| Ok(find_or_room(records, key, &terms, max)))
                .await??;
            return Err(UseError::DryRun.into());
        }
        let grant = Grant { id: GrantId(ctx.service.random_array()?), key, created: ctx.now, terms };
        let id = permit
            .change("create grant", move |_, transaction| {
                if let Some(found) = find_or_room(transaction, key, &grant.terms, max)? {
                    return Ok(found);
                }
                transaction.insert_grant(&grant)?;
                Ok::<_, KmsError>(grant.id)
            })
            .await?;
        let token = ctx.gate().seal_grant_token(key.region, key.id, id);
        let token = token.map_err(|error| KmsError::internal(&error))?;
        Ok(CreateGrantResponse { grant_token: Some(token), grant_id: Some(id.to_string()) })
    }
}

async fn authorize<'g>(
    request: &CreateGrantRequest,
    scope: &Scope,
    ctx: &Context<'g>,
) -> Result<Authorized<'g, CreateGrant>, KmsError> {
    let keys = ScopeKeys::of(scope);
    let values: Vec<_> = [
        ("granteeprincipal", &request.grantee_principal),
        ("granteeserviceprincipal", &request.grantee_service_principal),
        ("retiringprincipal", &request.retiring_principal),
        ("retiringserviceprincipal", &request.retiring_service_principal),
        ("grantconstraintsourcearn", &scope.constraints.source_arn),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value.as_deref()?)))
    .collect();
    let parameters = Parameters {
        values: &values,
        lists: &[keys.operations(), keys.constraint_types()],
        encryption_context: keys.context(),
        grant: Some(scope),
        ..Parameters::default()
    };
    ctx.authorize_asking::<CreateGrant>(&request.key_id, request.grant_tokens.as_deref(), parameters).await
}

fn grantee(request: &CreateGrantRequest) -> Result<Named<'_>, KmsError> {
    let (principal, service) = (&request.grantee_principal, &request.grantee_service_principal);
    Named::parse(principal.as_deref(), service.as_deref(), "Grantee")?.ok_or_else(|| {
        KmsError::validation("Either GranteePrincipal or GranteeServicePrincipal must be given.")
    })
}

fn retiring(request: &CreateGrantRequest) -> Result<Option<Named<'_>>, KmsError> {
    let (principal, service) = (&request.retiring_principal, &request.retiring_service_principal);
    Named::parse(principal.as_deref(), service.as_deref(), "Retiring")
}

/// A service works for many: its grants say for which resource, and who may take them back.
fn check_service(request: &CreateGrantRequest) -> Result<(), KmsError> {
    if request.grantee_service_principal.is_none() {
        return Ok(());
    }
    let source = request.constraints.as_ref().and_then(|constraints| constraints.source_arn.as_ref());
    let retiring = request.retiring_principal.as_ref().or(request.retiring_service_principal.as_ref());
    if source.is_none() || retiring.is_none() {
        return Err(KmsError::validation(
            "A grant with a GranteeServicePrincipal must have a SourceArn constraint and a retiring principal.",
        ));
    }
    Ok(())
}

fn scope(request: &CreateGrantRequest) -> Result<Scope, KmsError> {
    let operations = GrantOperations::parse(&request.operations).map_err(invalid)?;
    let asked = request.constraints.clone().unwrap_or_default();
    let constraints = Constraints::parse(
        asked.encryption_context_equals,
        asked.encryption_context_subset,
        asked.source_arn,
    );
    let constraints = constraints.map_err(|error| KmsError::validation(error.to_string()))?;
    Ok(Scope { operations, constraints })
}

/// Whether the key can have a grant of this scope.
fn check_key(scope: &Scope, permit: &Authorized<'_, CreateGrant>) -> Result<(), KmsError> {
    let key = permit.key();
    scope.operations.check(key.spec, key.usage).map_err(invalid)?;
    scope.constraints.check(key.spec).map_err(|error| KmsError::validation(error.to_string()))
}

fn invalid(error: OperationsError) -> KmsError {
    KmsError::validation(error.to_string())
}

/// The grant that is there with the same terms and a name, or room for one more.
fn find_or_room(
    records: &dyn Records,
    key: KeyArn,
    terms: &Terms,
    max: u64,
) -> Result<Option<GrantId>, KmsError> {
    if terms.name.is_some()
        && let Some(found) = records.grant_with(key.region, key.id, terms)?
    {
        return Ok(Some(found));
    }
    let count = records.grant_count(key.region, key.id)?;
    if count >= max {
        let text = format!(
            "Grants per key quota for this account in this region is {max}, current usage is {count}."
        );
        return Err(KmsError::new(ErrorCode::LimitExceeded, text));
    }
    Ok(None)
}
