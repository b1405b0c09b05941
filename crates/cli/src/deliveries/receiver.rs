//! Where lines go: to a server over HTTPS, to syslog, or to a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use trent_crypto::{MacKey, MacSpec, SecretBytes};
use trent_server::{Post, WebClient};

use crate::config::Webhook;
use crate::failure::misuse;
use crate::root_key::hex;

use super::syslog::Syslog;

/// The header with the HMAC of the body.
const SIGNATURE: &str = "trent-signature";

/// See the module.
pub(super) enum Receiver {
    Web(Box<Web>),
    Syslog(Box<Syslog>),
    File(PathBuf),
}

/// A server that takes lines.
pub(super) struct Web {
    url: String,
    ca: Option<String>,
    secret: Option<MacKey>,
    patience: Duration,
}

impl Receiver {
    /// The server that a section names, after its files were read.
    pub(super) fn web(webhook: Webhook<'_>) -> Result<Self> {
        let Webhook { section, url, ca_file, secret_file, patience } = webhook;
        let told = |file: &PathBuf, error: &str| misuse(format!("[{section}] {}: {error}", file.display()));
        if !url.starts_with("https://") {
            return Err(misuse(format!("{section}.url: records are sent over https:// alone")));
        }
        let read = |file: &PathBuf| std::fs::read(file).map_err(|error| told(file, &error.to_string()));
        let ca = ca_file
            .map(|file| String::from_utf8(read(file)?).map_err(|_| told(file, "not PEM")))
            .transpose()?;
        let secret = secret_file.map(|file| {
            let secret = SecretBytes::from(read(file)?);
            let secret = SecretBytes::from(secret.expose().trim_ascii_end().to_vec());
            MacKey::import(MacSpec::Hmac256, secret).map_err(|_| told(file, "a secret has 32 to 64 bytes"))
        });
        let (url, secret) = (url.to_owned(), secret.transpose()?);
        Ok(Self::Web(Box::new(Web { url, ca, secret, patience })))
    }

    /// Hands lines over. When this returns they are there.
    pub(super) async fn take(&mut self, lines: &[u8]) -> Result<(), String> {
        match self {
            Self::Web(web) => web.take(lines).await,
            Self::Syslog(syslog) => syslog.take(lines).await,
            Self::File(path) => append(path, lines).map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

/// Appends lines to a file. A line that was cut when they were last appended is ended first.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut last = [b'\n'];
    if let Some(at) = file.metadata()?.len().checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_all()
}

impl Web {
    async fn take(&self, lines: &[u8]) -> Result<(), String> {
        let signature = self.secret.as_ref().map(|secret| signature(secret, lines));
        let headers: Vec<(&str, &str)> = signature.iter().map(|value| (SIGNATURE, value.as_str())).collect();
        let post = Post {
            url: &self.url,
            ca: self.ca.as_deref(),
            content_type: "application/x-ndjson",
            headers: &headers,
            body: lines,
            patience: self.patience,
        };
        WebClient.post(post).await
    }
}

fn signature(secret: &MacKey, body: &[u8]) -> String {
    format!("sha256={}", hex(&secret.generate_mac(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notifications");
        for (before, after) in [("", "two\n"), ("one\n", "one\ntwo\n"), ("on", "on\ntwo\n")] {
            std::fs::write(&path, before).unwrap();
            append(&path, b"two\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Its test case 2 has a shorter key than are taken here; case 3.
        let key = MacKey::import(MacSpec::Hmac256, SecretBytes::from(vec![0xaa; 32])).unwrap();
        let told = signature(&key, &[0xdd; 50]);
        assert!(told.starts_with("sha256=") && told.len() == 71, "{told}");
    }
}
