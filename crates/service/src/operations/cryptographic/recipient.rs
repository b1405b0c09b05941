//! Attested callers (`Recipient`): their document is read before keys are looked at, and verified before it is decided what
//! they may; policies can ask what it says, and what they ask for is answered so that nobody but them opens it.

use trent_attestation::{Attested, DocumentError, Kind, Unverified};
use trent_crypto::SecretBytes;
use trent_domain::identifier::MaterialId;
use trent_gate::{Action, Facts, Parameters, UseError};
use trent_protocol::{RecipientInfo, SecretBlob};

use crate::context::Context;
use crate::error::KmsError;

/// The registers of an enclave that its record tells, besides that of the image.
const RECORDED_OF_ENCLAVES: [u8; 5] = [1, 2, 3, 4, 8];
/// The registers of a machine that its record tells.
const RECORDED_OF_TPM: [u8; 6] = [4, 7, 8, 9, 16, 23];

/// To whom a plaintext is answered: an attested caller, or one who gets it in clear.
#[derive(Default)]
pub(super) struct Recipient {
    attested: Option<Attested>,
    condition_keys: Vec<(String, String)>,
}

/// A recipient whose document is not verified yet, if there is one.
#[derive(Default)]
pub(super) struct Claim(Option<Unverified>);

/// The two members of an answer, of which one is there.
pub(super) struct Answer {
    pub(super) plaintext: Option<SecretBlob>,
    pub(super) for_recipient: Option<Vec<u8>>,
}

impl Claim {
    /// The recipient of a request, and of its document what is quickly checked. One that is not valid is refused: a
    /// plaintext that was asked for in sealed form must never be given in clear instead.
    pub(super) fn of(asked: Option<&RecipientInfo>, ctx: &Context<'_>) -> Result<Self, KmsError> {
        let Some(asked) = asked else { return Ok(Self(None)) };
        if asked.key_encryption_algorithm.is_none() {
            return Err(missing("recipient.keyEncryptionAlgorithm"));
        }
        let document = asked.attestation_document.as_ref();
        let document = document.ok_or_else(|| missing("recipient.attestationDocument"))?;
        let options = &ctx.service.options;
        let now = u64::try_from(ctx.now.millis()).unwrap_or(0);
        let read = options.attestation_roots.read(document, now, options.attestation_freshness);
        Ok(Self(Some(read.map_err(not_valid)?)))
    }

    /// The recipient of a request that asks for a permit for `A` on a key: that of `name`, else the one that made `blob`.
    pub(super) async fn verify<A: Action>(
        self,
        (name, blob): (Option<&str>, Option<&[u8]>),
        tokens: Option<&[String]>,
        parameters: Parameters<'_>,
        ctx: &Context<'_>,
    ) -> Result<Recipient, KmsError> {
        let Some(document) = self.0 else { return Ok(Recipient::default()) };
        // In a box, so that requests without a document have no room for it.
        Box::pin(async {
            let facts = Facts { grant_tokens: tokens.unwrap_or_default(), parameters, ..ctx.facts() };
            let foreseen = ctx.gate().foresee::<A>(name, blob, &facts).await;
            foreseen.map_err(|refusal| ctx.refused(refusal))?;
            Recipient::verified(document, ctx).await
        })
        .await
    }

    /// The same of a request that asks for a permit for `A` in the caller's account.
    pub(super) async fn verify_in_account<A: Action>(self, ctx: &Context<'_>) -> Result<Recipient, KmsError> {
        let Some(document) = self.0 else { return Ok(Recipient::default()) };
        ctx.gate().foresee_in_account::<A>(&ctx.facts())?;
        Recipient::verified(document, ctx).await
    }
}

impl Recipient {
    async fn verified(document: Unverified, ctx: &Context<'_>) -> Result<Self, KmsError> {
        let verified = ctx.gate().compute(ctx.call.caller.account, || document.verify()).await;
        let attested = match verified.map_err(UseError::from)? {
            Ok(attested) => attested,
            Err(error) => {
                // What has cost milliseconds counts, whichever request would have been made with it.
                ctx.count(|quotas| quotas.key_not_found(ctx.operation, ctx.call, ctx.now))?;
                return Err(not_valid(error));
            }
        };
        note(&attested, ctx);
        Ok(Self { condition_keys: attested.condition_keys(), attested: Some(attested) })
    }

    /// What policies can ask about the caller.
    pub(super) fn condition_keys(&self) -> &[(String, String)] {
        &self.condition_keys
    }

    /// The plaintext in the form that the caller gets.
    pub(super) fn answer(&self, plaintext: &SecretBytes, ctx: &Context<'_>) -> Result<Answer, KmsError> {
        let Some(attested) = &self.attested else {
            let plaintext = Some(SecretBlob::new(plaintext.expose().clone()));
            return Ok(Answer { plaintext, for_recipient: None });
        };
        let sealed = attested.seal(plaintext.expose(), ctx.service.random());
        let sealed = sealed.map_err(|error| KmsError::internal(&error))?;
        Ok(Answer { plaintext: None, for_recipient: Some(sealed) })
    }

    /// The id of the material as it is answered. AWS does not tell it to attested callers; the record has it.
    pub(super) fn answered_id(&self, material: Option<MaterialId>, ctx: &Context<'_>) -> Option<String> {
        let id = material.map(|id| id.to_string())?;
        if self.attested.is_none() {
            return Some(id);
        }
        ctx.event.additional("keyMaterialId", &id);
        None
    }
}

fn not_valid(error: DocumentError) -> KmsError {
    KmsError::validation(format!("The attestation document is not valid: {error}."))
}

fn missing(path: &str) -> KmsError {
    KmsError::constraint("null", path, "Member must not be null")
}

/// Notes who is attested, as AWS does: of the document nothing but its id and some registers.
fn note(attested: &Attested, ctx: &Context<'_>) {
    let (recorded, prefix) = match attested.kind() {
        Kind::Enclave => (&RECORDED_OF_ENCLAVES[..], "attestationDocumentEnclavePCR"),
        Kind::Tpm => (&RECORDED_OF_TPM[..], "attestationDocumentNitroTPMPCR"),
    };
    let image = attested.register(0).filter(|_| attested.kind() == Kind::Enclave);
    let image = image.map(|image| ("attestationDocumentEnclaveImageDigest".to_owned(), image));
    let register = |index: &u8| Some((format!("{prefix}{index}"), attested.register(*index)?));
    let measured: Vec<_> = image.into_iter().chain(recorded.iter().filter_map(register)).collect();
    ctx.event.recipient(attested.module_id(), &measured);
}
