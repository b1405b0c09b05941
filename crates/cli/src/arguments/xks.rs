//! The words of `trent xks-proxy` and `trent xks check`, and those of `trent admin` that it alone understands.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use trent_domain::identifier::{AccountId, Region};

use super::{Place, RootKeyArguments, set, set_some};
use crate::config::{Addresses, Config, Environment, LogFormat};

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct XksProxyArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Address to serve; may be given more than once; port 0 takes a free one [default: 127.0.0.1:5680].
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// PEM file with the certificate chain.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// PEM file with the roots of client certificates; without it, clients need none.
    #[arg(long, value_name = "FILE")]
    client_roots: Option<PathBuf>,
    /// Common name that client certificates may have; may be given more than once [default: any].
    #[arg(long, value_name = "NAME", requires = "client_roots")]
    client_name: Vec<String>,
    /// Address of /healthz, /readyz and /metrics [default: none].
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArguments,
    /// What to log: error, warn, info, debug, trace, or for parts [default: info].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// How to log [default: text].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub(crate) command: Option<XksProxyCommand>,
}

impl XksProxyArguments {
    /// The configuration of file, environment and these flags; the root key section is the proxy's.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        let mut config = self.place.load(environment)?;
        config.root_key = config.xks_proxy_root_key();
        self.root_key.apply(&mut config);
        let proxy = &mut config.xks_proxy;
        if !self.listen.is_empty() {
            proxy.listen = Addresses(self.listen.clone());
        }
        set_some(&mut proxy.ops_listen, &self.ops_listen);
        set_some(&mut proxy.tls_certificate, &self.tls_cert);
        set_some(&mut proxy.tls_key, &self.tls_key);
        set_some(&mut proxy.client_roots, &self.client_roots);
        if !self.client_name.is_empty() {
            proxy.client_names.clone_from(&self.client_name);
        }
        set(&mut config.log.format, self.log_format);
        if let Some(level) = &self.log {
            config.log.level.clone_from(level);
        }
        Ok(config)
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum XksProxyCommand {
    /// Write the proxy configuration file of a store, with its newest credential. The proxy must run.
    Config {
        /// The store.
        #[arg(long, value_name = "NAME")]
        store: String,
        /// Where to write it, for its owner alone [default: standard output].
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Custom key stores of the server that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyStoreCommand {
    /// Make an external key store of the configuration file of its proxy. It is connected through the API.
    Create {
        /// What to call it.
        name: String,
        /// The account that is to have it.
        #[arg(long, value_name = "DIGITS")]
        account: AccountId,
        /// Its Region.
        #[arg(long, value_name = "REGION")]
        region: Region,
        /// Where the proxy is: https:// and its name, without a port.
        #[arg(long, value_name = "URL")]
        endpoint: String,
        /// The proxy configuration file: path and credential. `trent xks-proxy config` writes one.
        #[arg(long, value_name = "FILE")]
        proxy_config: PathBuf,
        /// The VPC endpoint service that leads to the proxy [default: none, the endpoint is public].
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// The account that owns the service [default: the same].
        #[arg(long, value_name = "DIGITS", requires = "service")]
        service_owner: Option<AccountId>,
    },
    /// Show keys in the HSMs behind a CloudHSM key store that trent has made and that no KMS key has, and KMS keys that some of
    /// the HSMs lack.
    Orphans(OrphansArguments),
    /// Forget wrong passwords of `kmsuser` in the HSMs behind a CloudHSM key store, so that they may be tried again.
    Unlock {
        /// The id of the key store.
        id: String,
    },
}

/// What is to become of keys in HSMs that no KMS key has.
#[derive(Debug, Args)]
pub(crate) struct OrphansArguments {
    /// The id of the key store, or of its cluster.
    pub(crate) id: String,
    /// Destroy those that no KMS key has.
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Do not ask before.
    #[arg(long, requires = "destroy")]
    pub(crate) yes: bool,
    /// Destroy none that is younger.
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    pub(crate) min_age_minutes: u32,
}

/// Who may use a store or a key. In patterns, `*` stands for any characters and `?` for one.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RulesArguments {
    /// Callers of KMS that are allowed, as ARN patterns; may be given more than once [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_principal: Vec<String>,
    /// KMS keys that are allowed, as ARN patterns; may be given more than once [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_key_arn: Vec<String>,
    /// Operations of KMS that are allowed; may be given more than once [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_operation: Vec<String>,
    /// Regions that KMS may call from; may be given more than once [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_region: Vec<String>,
    /// VPCs that callers of KMS may come from; all others are refused, and those from none; may be given more than once
    /// [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_source_vpc: Vec<String>,
    /// VPC endpoints that callers of KMS may come through; may be given more than once [default: all].
    #[arg(long, value_name = "PATTERN")]
    pub(crate) allow_source_vpce: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum XksStoreCommand {
    /// Show all stores.
    List,
    /// Add a store, and print its first credential, this once.
    Add {
        /// What to call it.
        name: String,
        /// Its path [default: /NAME/kms/xks/v1].
        #[arg(long)]
        path: Option<String>,
        /// Requests in a second, 0 for no quota.
        #[arg(long, default_value_t = 1800)]
        quota: u32,
        #[command(flatten)]
        rules: RulesArguments,
    },
    /// Set another quota.
    SetQuota {
        /// Its name.
        name: String,
        /// Requests in a second, 0 for no quota.
        quota: u32,
    },
    /// Put rules in place of all that there are.
    SetRules {
        /// Its name.
        name: String,
        #[command(flatten)]
        rules: RulesArguments,
    },
    /// Delete a store that has no keys.
    Delete {
        /// Its name.
        name: String,
    },
    /// Add a second credential for a rotation, and print it, this once.
    AddCredential {
        /// The store.
        name: String,
    },
    /// Refuse a credential from now on.
    DeleteCredential {
        /// The store.
        name: String,
        /// The id of the credential.
        id: String,
    },
}

/// An external key.
#[derive(Debug, Args)]
pub(crate) struct XksKeyName {
    /// The store.
    pub(crate) store: String,
    /// The id of the key.
    pub(crate) id: String,
}

/// A key in a token.
#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// Have the key in this token of [[xks_proxy.token]], made there and never leaving it.
    #[arg(long, value_name = "NAME")]
    pub(crate) token: Option<String>,
    /// Take the AES-256 key of the token with this label instead of making one.
    #[arg(long, value_name = "LABEL", requires = "token")]
    pub(crate) token_key_label: Option<String>,
    /// Take the AES-256 key of the token with this CKA_ID instead of making one.
    #[arg(long, value_name = "HEX", requires = "token")]
    pub(crate) token_key_id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum XksKeyCommand {
    /// Show all external keys, or those of a store.
    List {
        /// The store.
        store: Option<String>,
    },
    /// Show an external key.
    Describe(XksKeyName),
    /// Make an external key.
    Add {
        /// The store.
        store: String,
        /// Its id, which KMS calls XksKeyId [default: random].
        id: Option<String>,
        /// What it may be used for: encrypt, decrypt, none; may be given more than once [default: encrypt and decrypt].
        #[arg(long, value_name = "USAGE", value_parser = ["encrypt", "decrypt", "none"])]
        usage: Vec<String>,
        /// Import the 32 bytes of this file instead of drawing them at random.
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        import: Option<PathBuf>,
        #[command(flatten)]
        token: TokenArguments,
        #[command(flatten)]
        rules: RulesArguments,
    },
    /// Give an external key new material, where the old is unless --import or --token says otherwise. What the old has
    /// encrypted still decrypts.
    Rotate {
        #[command(flatten)]
        key: XksKeyName,
        /// Import the 32 bytes of this file instead of drawing them at random.
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        import: Option<PathBuf>,
        #[command(flatten)]
        token: TokenArguments,
    },
    /// Put rules in place of all that there are; those of the store hold beside them.
    SetRules {
        #[command(flatten)]
        key: XksKeyName,
        #[command(flatten)]
        rules: RulesArguments,
    },
    /// Have an external key used again.
    Enable(XksKeyName),
    /// Have an external key used no more.
    Disable(XksKeyName),
    /// Delete an external key after a waiting period. All that it has encrypted is lost then.
    Delete {
        #[command(flatten)]
        key: XksKeyName,
        /// The waiting period: 7 to 30 days.
        #[arg(long, default_value_t = 30)]
        window_days: u32,
    },
    /// Keep an external key that waits for its deletion; it is disabled then.
    CancelDeletion(XksKeyName),
}

#[derive(Debug, Subcommand)]
pub(crate) enum XksCommand {
    /// Ask a proxy everything that KMS may ask it, and say where its answers are not what the specification demands.
    Check(Box<XksCheckArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct XksCheckArguments {
    /// The proxy configuration file of the store.
    #[arg(long, value_name = "FILE")]
    pub(crate) configuration: PathBuf,
    /// The endpoint, such as `https://proxy.example.com`.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: String,
    /// The Region to sign for.
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// An external key that encrypts and decrypts.
    #[arg(long, value_name = "ID")]
    pub(crate) key: trent_xks::ExternalKeyId,
    /// An external key that only encrypts.
    #[arg(long, value_name = "ID")]
    pub(crate) encrypt_only_key: Option<trent_xks::ExternalKeyId>,
    /// An external key that only decrypts.
    #[arg(long, value_name = "ID")]
    pub(crate) decrypt_only_key: Option<trent_xks::ExternalKeyId>,
    /// An external key that does neither, though it is enabled.
    #[arg(long, value_name = "ID")]
    pub(crate) impotent_key: Option<trent_xks::ExternalKeyId>,
    /// An external key that is disabled.
    #[arg(long, value_name = "ID")]
    pub(crate) disabled_key: Option<trent_xks::ExternalKeyId>,
    /// The id of a key that is not there.
    #[arg(long, value_name = "ID", default_value = "trent-check-absent")]
    pub(crate) absent_key: trent_xks::ExternalKeyId,
    /// The same file with another credential of the store that is valid too.
    #[arg(long, value_name = "FILE")]
    pub(crate) second_configuration: Option<PathBuf>,
    /// The file of another store of the same proxy.
    #[arg(long, value_name = "FILE")]
    pub(crate) other_configuration: Option<PathBuf>,
    /// An external key of that other store alone.
    #[arg(long, value_name = "ID", requires = "other_configuration")]
    pub(crate) other_store_key: Option<trent_xks::ExternalKeyId>,
    /// Connect there instead; name, certificate and signature stay those of the endpoint.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) connect_to: Option<String>,
    /// PEM file with roots to trust beside those of the system.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// PEM file with a client certificate; the proxy is then expected to refuse others.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// PEM file with the private key of the client certificate.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// Encryptions by which the time to an answer is measured.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) samples: u32,
    /// Encryptions whose initialization vectors must differ.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) iv_samples: u32,
    /// Milliseconds that an answer may take, the network included; KMS allows 250.
    #[arg(long, default_value_t = 250, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) budget_ms: u32,
    /// Milliseconds to wait for an answer where time is not what is checked.
    #[arg(long, default_value_t = 2000, value_name = "MS", value_parser = clap::value_parser!(u32).range(250..=60_000))]
    pub(crate) patience_ms: u32,
    /// Show the checks that passed too.
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}
