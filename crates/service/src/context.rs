//! What a handler knows of its request besides the body.

use std::sync::Arc;

use trent_audit::Event;
use trent_database::Database;
use trent_domain::alias::AliasName;
use trent_domain::identifier::{AliasArn, Region};
use trent_domain::identity::Caller;
use trent_domain::key::Key;
use trent_domain::operations::{Effect, rules};
use trent_domain::time::Timestamp;
use trent_domain::usage::LastUsage;
use trent_gate::{
    Action, Authorized, Behalf, Connection, Decrypted, Facts, Gate, Parameters, Refusal, Standing, UseError,
};
use trent_protocol::{Operation, TrackedOperation};
use uuid::Uuid;

use crate::error::KmsError;
use crate::open::Service;
use crate::quotas::Quotas;

/// One request, authenticated.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The policies that bear on the caller.
    pub standing: Arc<Standing>,
    /// The Region that the request was signed for.
    pub region: Region,
    /// The id that the answer carries.
    pub request_id: Uuid,
    /// How the request came.
    pub connection: Connection<'a>,
}

/// The context of a handler.
pub struct Context<'a> {
    pub(crate) service: &'a Service,
    pub(crate) call: &'a Call<'a>,
    pub(crate) now: Timestamp,
    /// What the record of this request will say.
    pub(crate) event: &'a Event,
    pub(crate) operation: Operation,
    /// What requests are limited to, if they are.
    pub(crate) quotas: Option<Arc<Quotas>>,
}

impl<'a> Context<'a> {
    pub(crate) fn gate(&self) -> &'a Gate {
        &self.service.gate
    }

    pub(crate) fn database(&self) -> &'a dyn Database {
        &*self.service.database
    }

    /// When a state that passes by itself, and begins now, is over.
    pub(crate) fn settled_at(&self) -> Timestamp {
        self.now.plus_seconds(self.service.options.settling_seconds)
    }

    /// The facts of a request that carries no grant tokens, and asks nothing that policies may set conditions on.
    pub(crate) fn facts(&self) -> Facts<'a> {
        let call = self.call;
        Facts {
            caller: &call.caller,
            standing: &call.standing,
            region: call.region,
            grant_tokens: &[],
            now: self.now,
            connection: &call.connection,
            parameters: Parameters::default(),
        }
    }

    /// A permit for `A` on the key that the request names.
    pub(crate) async fn authorize<A: Action>(
        &self,
        name: &str,
        grant_tokens: Option<&[String]>,
    ) -> Result<Authorized<'a, A>, KmsError> {
        self.authorize_asking::<A>(name, grant_tokens, Parameters::default()).await
    }

    /// The same for a request that asks something on which policies may set conditions.
    pub(crate) async fn authorize_asking<A: Action>(
        &self,
        name: &str,
        grant_tokens: Option<&[String]>,
        parameters: Parameters<'_>,
    ) -> Result<Authorized<'a, A>, KmsError> {
        let facts = Facts { grant_tokens: grant_tokens.unwrap_or_default(), parameters, ..self.facts() };
        self.noted(self.gate().authorize::<A>(name, &facts).await)
    }

    /// A permit for `A` on the key that made a ciphertext.
    pub(crate) async fn authorize_ciphertext<A: Action>(
        &self,
        name: Option<&str>,
        blob: &[u8],
        grant_tokens: Option<&[String]>,
        parameters: Parameters<'_>,
    ) -> Result<Authorized<'a, A>, KmsError> {
        let facts = Facts { grant_tokens: grant_tokens.unwrap_or_default(), parameters, ..self.facts() };
        self.noted(self.gate().authorize_ciphertext::<A>(name, blob, &facts).await)
    }

    /// Notes the key that a permit is for, or that none was given for.
    pub(crate) fn noted<A: Action>(
        &self,
        permit: Result<Authorized<'a, A>, Refusal>,
    ) -> Result<Authorized<'a, A>, KmsError> {
        let permit = permit.map_err(|refusal| self.refused(refusal))?;
        self.event.resource(permit.arn_text());
        if rules(A::OPERATION).effect == Effect::Uses {
            self.note_place(permit.key());
        }
        self.count(|quotas| quotas.key_found(self.operation, permit.key(), self.call, self.now))?;
        Ok(permit)
    }

    /// Notes which custom key store holds a key that is used.
    pub(crate) fn note_place(&self, key: &Key) {
        let Some(place) = &key.in_store else { return };
        self.event.additional("customKeyStoreId", place.store.as_str());
        place.external_key().iter().for_each(|id| self.event.additional("xksKeyId", id));
    }

    /// The same of the two keys of a request that has two. What is another for the second has names of its own: an object
    /// with two members of one name means something else to each reader.
    pub(crate) fn note_places(&self, source: &Key, destination: &Key) {
        self.note_place(source);
        let Some(place) = &destination.in_store else { return };
        if source.in_store.is_none() {
            self.note_place(destination);
        } else if source.in_store.as_ref() != Some(place) {
            self.event.additional("destinationCustomKeyStoreId", place.store.as_str());
            place.external_key().iter().for_each(|id| self.event.additional("destinationXksKeyId", id));
        }
    }

    /// Notes which HSM has done something, if one has.
    pub(crate) fn note_hsm(&self, member: &str, serial: Option<&str>) {
        serial.iter().for_each(|serial| self.event.additional(member, serial));
    }

    /// Notes which HSM has decrypted, or refused to.
    pub(crate) fn decrypted(&self, done: Result<Decrypted, UseError>) -> Result<Decrypted, KmsError> {
        self.note_hsm(
            "hsmSerial",
            match &done {
                Ok(opened) => opened.hsm.as_deref(),
                Err(UseError::RefusedByHsm(serial)) => Some(serial),
                Err(_) => None,
            },
        );
        Ok(done?)
    }

    /// Notes the key that no permit was given for.
    pub(crate) fn refused(&self, refusal: Refusal) -> KmsError {
        refusal.resource().iter().for_each(|arn| self.event.resource(arn));
        match self.count(|quotas| quotas.key_not_found(self.operation, self.call, self.now)) {
            Ok(()) => refusal.into(),
            Err(throttled) => throttled,
        }
    }

    /// Counts the request in the quotas, if there are any.
    pub(crate) fn count(&self, count: impl FnOnce(&Quotas) -> Result<(), KmsError>) -> Result<(), KmsError> {
        self.quotas.as_deref().map_or(Ok(()), count)
    }

    /// Notes an alias of the caller's account.
    pub(crate) fn note_alias(&self, name: &AliasName) {
        let Call { caller, region, .. } = self.call;
        let arn = AliasArn { region: *region, account: caller.account, name: name.clone() };
        self.event.resource(&arn.to_string());
    }

    /// On whose behalf proxies of external key stores are asked.
    pub(crate) fn behalf(&self) -> Behalf<'a> {
        let Call { caller, request_id, .. } = self.call;
        Behalf {
            operation: self.operation.name(),
            request_id: *request_id,
            principal: Some(caller.service_name().unwrap_or(&caller.arn)),
            key_arn: None,
            via_service: caller.via.as_ref().map(|via| &*via.service),
            source: self.call.connection.endpoint.map(|endpoint| (&*endpoint.id, &*endpoint.network)),
        }
    }

    /// The same where a key is used. How a caller reaches trent is told to the proxies of its own account alone.
    pub(crate) fn behalf_with(&self, key: &Key) -> Behalf<'a> {
        let behalf = self.behalf();
        let own = key.account == self.call.caller.account;
        Behalf { source: behalf.source.filter(|_| own), ..behalf }
    }

    /// Notes that a key was used with success.
    pub(crate) fn record_usage<A>(
        &self,
        permit: &Authorized<'_, A>,
        operation: TrackedOperation,
    ) -> Result<(), KmsError> {
        let (request_id, event_id) = (self.call.request_id, self.event.id());
        let usage = LastUsage { operation, at: self.now, request_id, event_id };
        permit.record_usage(usage);
        Ok(())
    }
}
