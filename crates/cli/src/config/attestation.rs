//! `[attestation]`: whom to trust about enclaves.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use serde::{Deserialize, Deserializer, de::Error};
use trent_service::{Freshness, Roots};

use super::bounded::Bounded;
use super::setting::{Default as D, Section, Setting};
use crate::failure::misuse;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AttestationSection {
    roots: Vec<Root>,
    max_age_seconds: Bounded<0, 31_536_000>,
}

impl Default for AttestationSection {
    fn default() -> Self {
        Self { roots: vec![Root::Aws], max_age_seconds: Bounded::new(0) }
    }
}

/// A root as it is named in the file: `aws`, or `LABEL=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    Aws,
    File { label: String, path: PathBuf },
}

impl FromStr for Root {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == Roots::AWS => Ok(Self::Aws),
            Some((label, path)) if is_label(label) && !path.is_empty() => {
                Ok(Self::File { label: label.to_owned(), path: path.into() })
            }
            _ => Err(format!(
                "`{text}` is neither \"aws\" nor LABEL=FILE with a label of small letters, digits and -"
            )),
        }
    }
}

fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text != Roots::AWS && text.bytes().all(fits)
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        String::deserialize(deserializer)?.parse().map_err(De::Error::custom)
    }
}

impl AttestationSection {
    /// Reads the roots.
    pub(crate) fn roots(&self) -> Result<Roots> {
        self.roots.iter().try_fold(Roots::default(), |roots, root| match root {
            Root::Aws => roots.with_aws().map_err(|error| misuse(format!("attestation.roots: aws: {error}"))),
            Root::File { label, path } => {
                let refused = |error: String| {
                    misuse(format!("attestation.roots: {label}: {}: {error}", path.display()))
                };
                let certificate = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
                roots.with(label, &certificate).map_err(|error| refused(error.to_string()))
            }
        })
    }

    /// How old documents may be, with clocks that differ by `skew_seconds`.
    pub(crate) fn freshness(&self, skew_seconds: u32) -> Freshness {
        let age_seconds_max = Some(self.max_age_seconds.as_u32()).filter(|seconds| *seconds > 0);
        Freshness { age_seconds_max, skew_seconds }
    }
}

pub(super) const SECTION: Section = Section {
    name: "attestation",
    comment: "Attestation documents of enclaves (`Recipient`).",
    settings: &[
        Setting {
            name: "roots",
            default: D::Is("[\"aws\"]"),
            comment: "The certificates that documents have to lead to: \"aws\" is that of AWS Nitro Enclaves and NitroTPM,\n\
                      \"LABEL=FILE\" another one, as PEM or DER. Policies can ask for the label: `trent:AttestationRoot`.\n\
                      With none, all documents are refused.",
        },
        Setting {
            name: "max_age_seconds",
            default: D::Is("0"),
            comment: "How old a document may be: up to 31536000; 0 as old as its certificates are valid, which at AWS is\n\
                      three hours.",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<AttestationSection, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn roots_are_aws_or_a_label_and_a_file() {
        let named = section("roots = ['aws', 'emulator=/etc/trent/root.pem']").unwrap();
        let file = Root::File { label: "emulator".to_owned(), path: "/etc/trent/root.pem".into() };
        assert_eq!(named.roots, [Root::Aws, file]);
        assert_eq!(section("roots = []").unwrap().roots, []);
        for wrong in ["", "AWS", "emulator", "=file", "emulator=", "aws=file", "Emulator=file", "a b=file"] {
            let refused = section(&format!("roots = ['{wrong}']")).unwrap_err();
            assert!(refused.message().contains("is neither \"aws\" nor LABEL=FILE"), "{refused}");
        }
    }

    #[test]
    fn roots_are_read_from_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.pem");
        let of_file = |label: &str| Root::File { label: label.to_owned(), path: path.clone() };
        let read = |roots: Vec<Root>| {
            let read = AttestationSection { roots, ..AttestationSection::default() }.roots();
            read.map(drop).map_err(|error| error.to_string().replace(&format!("{}", path.display()), "FILE"))
        };
        let told = read(vec![of_file("own")]).unwrap_err();
        assert!(told.starts_with("attestation.roots: own: FILE: "), "{told}");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(
            read(vec![of_file("own")]).unwrap_err(),
            "attestation.roots: own: FILE: this is not one certificate, as PEM or DER"
        );
        let mut params = rcgen::CertificateParams::default();
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        assert_eq!(
            read(vec![of_file("own")]).unwrap_err(),
            "attestation.roots: own: FILE: this certificate may not sign others: its key usage lacks keyCertSign"
        );
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        assert_eq!(read(vec![Root::Aws, of_file("own"), of_file("other")]), Ok(()));
        assert_eq!(
            read(vec![of_file("own"), of_file("own")]).unwrap_err(),
            "attestation.roots: own: FILE: this label is taken"
        );
        assert_eq!(
            read(vec![Root::Aws, Root::Aws]).unwrap_err(),
            "attestation.roots: aws: this label is taken"
        );
    }

    #[test]
    fn without_a_highest_age_certificates_alone_decide() {
        assert_eq!(AttestationSection::default().freshness(300), Freshness::default());
        let aged = section("max_age_seconds = 600").unwrap();
        assert_eq!(aged.freshness(5), Freshness { age_seconds_max: Some(600), skew_seconds: 5 });
    }
}
