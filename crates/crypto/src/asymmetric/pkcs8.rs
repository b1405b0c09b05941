//! Private keys as OneAsymmetricKey, RFC 5958 section 2, better known as PKCS#8.
//!
//! ```text
//! SEQUENCE {
//!     INTEGER 0 or 1, SEQUENCE { algorithm, parameters }, OCTET STRING { private key },
//!     [0] attributes, if any: passed over,  [1] public key, if any, in version 1 only
//! }
//! ```
//!
//! What is in the private key depends on the kind:
//!
//! - RSA: RSAPrivateKey, RFC 8017 appendix A.1.2.
//! - Elliptic curves: ECPrivateKey, RFC 5915 section 3: version 1, the scalar, `[0]` curve, `[1]` public key.
//! - Ed25519: an OCTET STRING with the seed, RFC 8410 section 7.
//! - ML-DSA, ML-KEM: `[0]` with the seed, or an OCTET STRING with the expanded key, or a SEQUENCE of both as OCTET
//!   STRINGs; RFC 9881 section 6, RFC 9935 section 6. Written is the seed, where it is known.

#[cfg(feature = "sm")]
use super::sm;
use super::spec::Kind;
use super::{Form, InvalidKey, KeyPairSpec, ec, ed25519, ml_dsa, ml_kem, rsa, spki};
use crate::der::{
    BIT_STRING, INTEGER, OCTET_STRING, Reader, SEQUENCE, context, context_constructed, element,
};
use crate::secret::SecretBytes;

/// What a document says. Nothing of it is checked against the rest.
pub(super) struct Parts<'a> {
    pub(super) form: Form,
    pub(super) private: SecretBytes,
    /// The public keys in it, without frames: at most two.
    pub(super) publics: Vec<&'a [u8]>,
    /// The expanded private key, where there is a seed beside it.
    pub(super) expanded: Option<&'a [u8]>,
}

impl Parts<'_> {
    fn short(private: &[u8]) -> Self {
        Self { form: Form::Short, private: private.to_vec().into(), publics: Vec::new(), expanded: None }
    }
}

/// Takes a document apart.
pub(super) fn read(spec: KeyPairSpec, document: &[u8]) -> Result<Parts<'_>, InvalidKey> {
    let frame = frame(document).ok_or(InvalidKey::Malformed)?;
    if frame.algorithm != spec.algorithm() {
        return Err(InvalidKey::OtherSpec);
    }
    let parts = match spec.kind() {
        // As AWS-LC reads it, so that the encoding that is kept is the canonical one.
        Kind::Rsa(_) => {
            rsa::to_pkcs8(frame.private).map(|pkcs8| Parts { private: pkcs8, ..Parts::short(&[]) })
        }
        Kind::Ec(curve) => ec_private_key(spec, curve.scalar_bytes(), frame.private),
        #[cfg(feature = "sm")]
        Kind::Sm2 => ec_private_key(spec, sm::SCALAR_BYTES, frame.private),
        Kind::Ed25519 => {
            let seed = Reader::only(frame.private, OCTET_STRING);
            seed.filter(|seed| seed.len() == ed25519::SEED_BYTES).map(Parts::short)
        }
        Kind::MlDsa(set) => lattice(frame.private, ml_dsa::SEED_BYTES, ml_dsa::expanded_bytes(set)),
        Kind::MlKem(set) => lattice(frame.private, ml_kem::SEED_BYTES, ml_kem::expanded_bytes(set)),
    };
    let mut parts = parts.ok_or(InvalidKey::Malformed)?;
    parts.publics.extend(frame.public);
    Ok(parts)
}

struct Frame<'a> {
    algorithm: &'a [u8],
    private: &'a [u8],
    public: Option<&'a [u8]>,
}

fn frame(document: &[u8]) -> Option<Frame<'_>> {
    let mut parts = Reader::new(Reader::only(document, SEQUENCE)?);
    let version = parts.take(INTEGER)?;
    let algorithm = parts.take(SEQUENCE)?;
    let private = parts.take(OCTET_STRING)?;
    parts.take_if_there(context_constructed(0));
    let public = match version {
        [0] => None,
        [1] => parts.take_if_there(context(1)),
        _ => return None,
    };
    let public = match public {
        Some(bits) => Some(spki::whole_bytes(bits)?),
        None => None,
    };
    parts.is_empty().then_some(Frame { algorithm, private, public })
}

fn ec_private_key(spec: KeyPairSpec, scalar_bytes: usize, bytes: &[u8]) -> Option<Parts<'_>> {
    let mut fields = Reader::new(Reader::only(bytes, SEQUENCE)?);
    if fields.take(INTEGER)? != [1] {
        return None;
    }
    let scalar = fields.take(OCTET_STRING)?;
    if let Some(parameters) = fields.take_if_there(context_constructed(0)) {
        // The identifier of the curve alone, as at the end of the algorithm.
        Reader::only(parameters, 0x06)?;
        spec.algorithm().get(9..).filter(|curve| *curve == parameters)?;
    }
    let public = match fields.take_if_there(context_constructed(1)) {
        Some(bits) => Some(spki::whole_bytes(Reader::only(bits, BIT_STRING)?)?),
        None => None,
    };
    let private = ec::padded(scalar_bytes, scalar)?;
    let parts = Parts { form: Form::Short, private, publics: Vec::from_iter(public), expanded: None };
    fields.is_empty().then_some(parts)
}

fn lattice(bytes: &[u8], seed_bytes: usize, expanded_bytes: usize) -> Option<Parts<'_>> {
    let is_seed = |seed: &&[u8]| seed.len() == seed_bytes;
    let is_expanded = |expanded: &&[u8]| expanded.len() == expanded_bytes;
    if let Some(seed) = Reader::only(bytes, context(0)) {
        return Some(seed).filter(is_seed).map(Parts::short);
    }
    if let Some(expanded) = Reader::only(bytes, OCTET_STRING) {
        let parts = Some(expanded).filter(is_expanded).map(Parts::short)?;
        return Some(Parts { form: Form::Expanded, ..parts });
    }
    let mut both = Reader::new(Reader::only(bytes, SEQUENCE)?);
    let seed = both.take(OCTET_STRING).filter(is_seed)?;
    let expanded = both.take(OCTET_STRING).filter(is_expanded)?;
    both.is_empty().then(|| Parts { expanded: Some(expanded), ..Parts::short(seed) })
}

/// Writes a document.
pub(super) fn write(spec: KeyPairSpec, form: Form, private: &SecretBytes, public: &[u8]) -> SecretBytes {
    let bytes = private.expose();
    let private = match (spec.kind(), form) {
        // Kept as PKCS#8 already.
        (Kind::Rsa(_), _) => return SecretBytes::from(bytes.clone()),
        (Kind::Ec(_), _) => write_ec_private_key(bytes, public),
        #[cfg(feature = "sm")]
        (Kind::Sm2, _) => write_ec_private_key(bytes, public),
        (Kind::Ed25519, _) | (_, Form::Expanded) => element(OCTET_STRING, &[bytes]),
        (Kind::MlDsa(_) | Kind::MlKem(_), Form::Short) => element(context(0), &[bytes]),
    };
    let algorithm = element(SEQUENCE, &[spec.algorithm()]);
    let private = element(OCTET_STRING, &[private.expose()]);
    element(SEQUENCE, &[&[INTEGER, 1, 0], algorithm.expose(), private.expose()])
}

fn write_ec_private_key(scalar: &[u8], public: &[u8]) -> SecretBytes {
    let scalar = element(OCTET_STRING, &[scalar]);
    let public = element(BIT_STRING, &[&[0], public]);
    let public = element(context_constructed(1), &[public.expose()]);
    element(SEQUENCE, &[&[INTEGER, 1, 1], scalar.expose(), public.expose()])
}
