//! Attested callers (`Recipient`): their document is verified before anything else, policies can ask what it says, and
//! what they ask for is answered so that nobody but them opens it.

use trent_attestation::{Attested, Kind};
use trent_crypto::SecretBytes;
use trent_domain::identifier::MaterialId;
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

/// The two members of an answer, of which one is there.
pub(super) struct Answer {
    pub(super) plaintext: Option<SecretBlob>,
    pub(super) for_recipient: Option<Vec<u8>>,
}

impl Recipient {
    /// The recipient of a request. A document that is not valid is refused: a plaintext that was asked for in sealed form
    /// must never be given in clear instead.
    pub(super) fn of(asked: Option<&RecipientInfo>, ctx: &Context<'_>) -> Result<Self, KmsError> {
        let Some(asked) = asked else { return Ok(Self::default()) };
        if asked.key_encryption_algorithm.is_none() {
            return Err(missing("recipient.keyEncryptionAlgorithm"));
        }
        let document = asked.attestation_document.as_ref();
        let document = document.ok_or_else(|| missing("recipient.attestationDocument"))?;
        let options = &ctx.service.options;
        let now = u64::try_from(ctx.now.millis()).unwrap_or(0);
        let attested =
            options.attestation_roots.verify(document, now, options.attestation_freshness).map_err(
                |error| KmsError::validation(format!("The attestation document is not valid: {error}.")),
            )?;
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
