//! Attestation documents as enclaves have them made, of an authority that tests make up: whole ones, and such as no
//! enclave ever had. Written from RFC 8949 and RFC 9052, with nothing of what reads them.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384,
};
use trent_domain::time::Timestamp;

/// A value of CBOR.
#[derive(Clone, Debug)]
pub enum Cbor {
    /// A number.
    Number(u64),
    /// The number `-1 - n`.
    Negative(u64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Cbor>),
    /// A map.
    Map(Vec<(Cbor, Cbor)>),
    /// Nothing.
    Null,
    /// What is written already.
    Written(Vec<u8>),
}

impl Cbor {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// The value as it is written.
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => head(0, *number),
            Self::Negative(number) => head(1, *number),
            Self::Bytes(bytes) => [head(2, length(bytes.len())), bytes.clone()].concat(),
            Self::Text(text) => [head(3, length(text.len())), text.clone().into_bytes()].concat(),
            Self::Array(values) => {
                let written = values.iter().map(Self::write);
                std::iter::once(head(4, length(values.len()))).chain(written).collect::<Vec<_>>().concat()
            }
            Self::Map(pairs) => {
                let written = pairs.iter().flat_map(|(key, value)| [key.write(), value.write()]);
                std::iter::once(head(5, length(pairs.len()))).chain(written).collect::<Vec<_>>().concat()
            }
            Self::Null => vec![0xf6],
            Self::Written(bytes) => bytes.clone(),
        }
    }
}

fn length(length: usize) -> u64 {
    length.try_into().expect("a length")
}

fn head(major: u8, number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let (code, kept) = match number {
        0..24 => return vec![major << 5 | bytes[7]],
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    [&[major << 5 | code], &bytes[8 - kept..]].concat()
}

/// A certificate that may sign others, and its key.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    /// The certificate, as DER.
    pub der: Vec<u8>,
}

/// A key that signs documents, and its certificate.
pub struct DocumentSigner {
    key: EcdsaKeyPair,
    /// The certificate, as DER.
    pub der: Vec<u8>,
}

fn p384() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key")
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// What the certificate of an authority says by default.
pub fn authority_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What the certificate of a signer says by default.
pub fn signer_params() -> CertificateParams {
    let mut params = named("i-1234567890abcdef0.test");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

impl Authority {
    /// A root.
    pub fn root(name: &str) -> Self {
        Self::root_with_key(authority_params(name), p384())
    }

    /// A root whose certificate says this, with any key.
    pub fn root_with_key(params: CertificateParams, key: KeyPair) -> Self {
        let der = params.self_signed(&key).expect("a certificate").der().to_vec();
        Self { params, key, der }
    }

    /// An authority below this one, whose certificate says this.
    pub fn authority(&self, params: CertificateParams) -> Self {
        let key = p384();
        let der = params.signed_by(&key, &self.issuer()).expect("a certificate").der().to_vec();
        Self { params, key, der }
    }

    /// A signer of documents, whose certificate says this.
    pub fn signer(&self, params: CertificateParams) -> DocumentSigner {
        let key = p384();
        let der = params.signed_by(&key, &self.issuer()).expect("a certificate").der().to_vec();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &key.serialize_der());
        DocumentSigner { key: key.expect("a key of P-384"), der }
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

/// Who makes documents: a root, an authority below it, and a signer.
pub struct DocumentMaker {
    /// The root.
    pub root: Authority,
    /// The authority.
    pub authority: Authority,
    /// The signer.
    pub signer: DocumentSigner,
}

impl Default for DocumentMaker {
    fn default() -> Self {
        let root = Authority::root("test root");
        let authority = root.authority(authority_params("test authority"));
        let signer = authority.signer(signer_params());
        Self { root, authority, signer }
    }
}

impl DocumentMaker {
    /// A document of an enclave whose register 0 is `image`, 1 to 4 and 8 likewise with other numbers, to be answered to
    /// the holder of an RSA key (SPKI DER).
    pub fn enclave(&self, image: u8, public_key: &[u8], at: Timestamp) -> TestDocument {
        let register = |index: u8| (index, vec![image.wrapping_add(index * u8::from(image > 0)); 48]);
        self.document("pcrs", [0, 1, 2, 3, 4, 8].map(register), public_key, at)
    }

    /// A document of a machine whose register 4 is `loader`, 7 and others likewise with other numbers.
    pub fn tpm(&self, loader: u8, public_key: &[u8], at: Timestamp) -> TestDocument {
        let register = |index: u8| (index, vec![loader.wrapping_add(index); 48]);
        self.document("nitrotpm_pcrs", [4, 7, 8, 9, 12, 23].map(register), public_key, at)
    }

    fn document<const N: usize>(
        &self,
        kind: &str,
        registers: [(u8, Vec<u8>); N],
        public_key: &[u8],
        at: Timestamp,
    ) -> TestDocument {
        let registers =
            registers.into_iter().map(|(index, value)| (Cbor::Number(index.into()), Cbor::Bytes(value)));
        let bundle = [&self.root.der, &self.authority.der].map(|der| Cbor::Bytes(der.clone()));
        let members = [
            ("module_id", Cbor::text("i-1234567890abcdef0-enc1234567890abcdef")),
            ("digest", Cbor::text("SHA384")),
            ("timestamp", Cbor::Number(at.millis().try_into().expect("a time"))),
            (kind, Cbor::Map(registers.collect())),
            ("certificate", Cbor::Bytes(self.signer.der.clone())),
            ("cabundle", Cbor::Array(bundle.into())),
            ("public_key", Cbor::Bytes(public_key.to_vec())),
            ("user_data", Cbor::Null),
            ("nonce", Cbor::Null),
        ];
        TestDocument {
            protected: Cbor::Map(vec![(Cbor::Number(1), Cbor::Negative(34))]).write(),
            unprotected: Cbor::Map(Vec::new()),
            members: members.map(|(name, value)| (Cbor::text(name), value)).into(),
        }
    }
}

/// A document before it is signed.
#[derive(Clone, Debug)]
pub struct TestDocument {
    /// The protected header.
    pub protected: Vec<u8>,
    /// The unprotected header.
    pub unprotected: Cbor,
    /// The members of the payload.
    pub members: Vec<(Cbor, Cbor)>,
}

impl TestDocument {
    /// The same without a member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.members.retain(|(key, _)| !matches!(key, Cbor::Text(text) if text == name));
        self
    }

    /// The same with another value of a member.
    #[must_use]
    pub fn with(self, name: &str, value: Cbor) -> Self {
        self.without(name).and(Cbor::text(name), value)
    }

    /// The same with one more member, whether there is one of this name or not.
    #[must_use]
    pub fn and(mut self, key: Cbor, value: Cbor) -> Self {
        self.members.push((key, value));
        self
    }

    /// The signed document.
    pub fn signed_by(&self, signer: &DocumentSigner) -> Vec<u8> {
        self.signed_over(&Cbor::Map(self.members.clone()).write(), signer)
    }

    /// A signed document with any payload.
    pub fn signed_over(&self, payload: &[u8], signer: &DocumentSigner) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
        let to_be_signed =
            Cbor::Array(vec![Cbor::text("Signature1"), bytes(&self.protected), bytes(&[]), bytes(payload)]);
        let signature = signer.key.sign(&SystemRandom::new(), &to_be_signed.write()).expect("a signature");
        let parts =
            vec![bytes(&self.protected), self.unprotected.clone(), bytes(payload), bytes(signature.as_ref())];
        Cbor::Array(parts).write()
    }
}
