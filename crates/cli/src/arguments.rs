//! The command line. Its texts are what `trent help` prints.

mod audit;
mod clusters;
mod dev;
mod identities;
mod policy;
mod transfer;
mod xks;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use trent_domain::identifier::{AccountId, Region};

use crate::config::{Addresses, Config, Environment, LogFormat, Provider, load};
use crate::root_key::{Given, HsmKey};
use crate::secret_source::SecretSource;

pub(crate) use audit::{AuditCommand, AuditPlace, FindArguments, VerifyArguments};
pub(crate) use clusters::ClusterCommand;
pub(crate) use dev::{ClockCommand, FaultCommand};
pub(crate) use identities::{
    AccessKeyCommand, GroupCommand, MfaDeviceCommand, Named, OidcProviderCommand, PolicyCommand,
    PrincipalCommand, RecordCommand, RightsCommand, RoleCommand, SessionKeyCommand, TokenCommand,
    UserCommand,
};
pub(crate) use policy::{CheckArguments, ExplainArguments, PolicyWords};
pub(crate) use transfer::{ExportArguments, ImportArguments};
pub(crate) use xks::{
    KeyStoreCommand, OrphansArguments, RulesArguments, TokenArguments, XksCheckArguments, XksCommand,
    XksKeyCommand, XksProxyArguments, XksProxyCommand, XksStoreCommand,
};

/// A key management service that every AWS client takes for AWS KMS.
#[derive(Debug, Parser)]
#[command(name = "trent", version, long_version = crate::version::long(), disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve; the first start makes an account and an administrator.
    Serve(ServeArguments),
    /// Serve for tests: account 000000000000, access key test/test, all of it thrown away at the end.
    Dev(DevArguments),
    /// Move to a new root key. The server must be stopped; no key is touched.
    Rekey(RekeyArguments),
    /// Write a consistent copy of the database to FILE, while the server runs or not.
    Backup(BackupArguments),
    /// Make a data directory from a backup.
    Restore(RestoreArguments),
    /// Seal keys for another deployment. The server must be stopped; nothing is changed.
    Export(ExportArguments),
    /// Take over keys that another deployment has sealed for this one. The server must be stopped.
    Import(ImportArguments),
    /// Say what is wrong with an installation, and what to do.
    Doctor(DoctorArguments),
    /// Serve external keys by the XKS proxy API, to AWS KMS or another trent. Its data are in DATA_DIR/xks.
    XksProxy(XksProxyArguments),
    /// External key store proxies, of whomever.
    #[command(subcommand)]
    Xks(XksCommand),
    /// Show the configuration there is.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Verify, search and export the record of what was done.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Policies: check one before it is put, ask why somebody may or may not.
    #[command(subcommand)]
    Policy(PolicyWords),
    /// Administer the server that runs: accounts, users, access keys; of `trent dev` clock and faults too.
    Admin(AdminArguments),
    /// Run a PKCS#11 module for the process that started this one, over standard input. Nobody types this.
    #[command(hide = true)]
    HsmWorker,
}

/// Where the configuration and the data are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Place {
    /// The configuration file; `trent config default` prints one.
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The data directory [default: ./trent-data].
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
}

impl Place {
    /// The configuration of file, environment and these flags.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        let mut config = load(self.config.as_deref(), environment)?;
        if let Some(dir) = &self.data_dir {
            config.data.dir.clone_from(dir);
        }
        Ok(config)
    }
}

/// Where the root key comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RootKeyArguments {
    /// Where the root key comes from [default: auto].
    #[arg(long, value_name = "PROVIDER")]
    root_key_provider: Option<Provider>,
    /// The root key file [default: root.key in the data directory].
    #[arg(long, value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// Read the passphrase from this open file descriptor.
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
    /// Read the passphrase from this file. It may also be in TRENT_ROOT_PASSPHRASE.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
}

impl RootKeyArguments {
    pub(crate) fn apply(&self, config: &mut Config) {
        set(&mut config.root_key.provider, self.root_key_provider);
        set_some(&mut config.root_key.file, &self.root_key_file);
        set_some(&mut config.root_key.passphrase_file, &self.passphrase_file);
    }

    pub(crate) fn given(&self, config: &Config, environment: &Environment) -> Given {
        let passphrase = SecretSource {
            what: "passphrase",
            descriptor: self.passphrase_fd,
            file: config.root_key.passphrase_file.clone(),
            variable: environment.secret("TRENT_ROOT_PASSPHRASE"),
        };
        Given { passphrase, hsm: HsmKey::of(config, environment.secret("TRENT_ROOT_PIN")) }
    }
}

/// Where to listen, and what to log.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListenArguments {
    /// Address of the API; may be given more than once; port 0 takes a free one [default: 127.0.0.1:5670].
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// Address of /healthz, /readyz and /metrics [default: 127.0.0.1:5671; a free port if --listen has port 0].
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<SocketAddr>,
    /// What to log: error, warn, info, debug, trace, or for parts, as in warn,trent_server=debug [default: info].
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// How to log [default: text].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl ListenArguments {
    fn apply(&self, config: &mut Config) {
        if !self.listen.is_empty() {
            config.http.listen = Addresses(self.listen.clone());
        }
        set(&mut config.log.format, self.log_format);
        if let Some(level) = &self.log {
            config.log.level.clone_from(level);
        }
        match self.ops_listen {
            Some(address) => config.ops.listen = address,
            None => free_ops_port(config),
        }
    }
}

/// Whoever takes any port for the API does so to run more than one trent: the default port would be in the way.
fn free_ops_port(config: &mut Config) {
    let any = config.http.listen.0.iter().any(|address| address.port() == 0);
    if any && config.ops.listen == Config::default().ops.listen {
        config.ops.listen.set_port(0);
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    listen: ListenArguments,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArguments,
    /// The account that the first start makes [default: random].
    #[arg(long, value_name = "DIGITS")]
    account_id: Option<AccountId>,
    /// Serve addresses other than loopback without TLS: for a proxy in front that has it.
    #[arg(long)]
    allow_plain_http: bool,
    /// PEM file with the certificate chain.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
}

impl ServeArguments {
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        let mut config = self.place.load(environment)?;
        self.listen.apply(&mut config);
        self.root_key.apply(&mut config);
        set_some(&mut config.data.account_id, &self.account_id);
        set_some(&mut config.http.tls_certificate, &self.tls_cert);
        set_some(&mut config.http.tls_key, &self.tls_key);
        config.http.allow_plain_http |= self.allow_plain_http;
        Ok(config)
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DevArguments {
    /// The configuration file; `trent config default` prints one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep everything in this directory instead of throwing it away.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    listen: ListenArguments,
    /// Make the keys of this file, in YAML or JSON, unless they are there; also one of local-kms.
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,
    /// The Region of keys whose seed file names none.
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) seed_region: Region,
    /// Take every caller for the root of the account, whatever they sign with. On loopback only.
    #[arg(long)]
    pub(crate) any_credentials: bool,
}

impl DevArguments {
    /// The configuration, but for the data directory: that of `trent serve` must not be taken by accident.
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        let mut config = load(self.config.as_deref(), environment)?;
        self.listen.apply(&mut config);
        Ok(config)
    }
}

#[derive(Debug, Args)]
pub(crate) struct RekeyArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) root_key: RootKeyArguments,
    /// Where the new root key shall come from.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) to: NewProvider,
    /// Read the new passphrase from this open file descriptor.
    #[arg(long, value_name = "N")]
    new_passphrase_fd: Option<u32>,
    /// Read the new passphrase from this file. It may also be in TRENT_NEW_ROOT_PASSPHRASE.
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_fd")]
    new_passphrase_file: Option<PathBuf>,
    /// Take the section `root_key_pkcs11` for the new root key from this file, as when moving from one HSM to another
    /// [default: that of --config].
    #[arg(long, value_name = "FILE")]
    new_config: Option<PathBuf>,
}

/// Where a new root key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewProvider {
    /// A new file.
    File,
    /// A new passphrase.
    Passphrase,
    /// A new file that a key in an HSM has encrypted.
    Pkcs11,
}

impl RekeyArguments {
    pub(crate) fn load(&self, environment: &Environment) -> Result<Config> {
        let mut config = self.place.load(environment)?;
        self.root_key.apply(&mut config);
        Ok(config)
    }

    /// The key in an HSM that the new root key is encrypted by.
    pub(crate) fn new_hsm(&self, config: &Config, environment: &Environment) -> Result<HsmKey> {
        let variable =
            environment.secret("TRENT_NEW_ROOT_PIN").or_else(|| environment.secret("TRENT_ROOT_PIN"));
        let hsm = match &self.new_config {
            Some(file) => HsmKey::of(&load(Some(file), environment)?, variable),
            None => HsmKey::of(config, variable),
        };
        hsm.check()?;
        Ok(hsm)
    }

    pub(crate) fn new_passphrase(&self, environment: &Environment) -> SecretSource {
        SecretSource {
            what: "passphrase",
            descriptor: self.new_passphrase_fd,
            file: self.new_passphrase_file.clone(),
            variable: environment.secret("TRENT_NEW_ROOT_PASSPHRASE"),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The file to write; it must not be there yet.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The backup.
    pub(crate) file: PathBuf,
    /// The data directory to make; it must be empty or not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) serve: ServeArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration file that sets everything to its default.
    Default,
}

#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Users.
    #[command(subcommand)]
    User(UserCommand),
    /// Groups of users.
    #[command(subcommand)]
    Group(GroupCommand),
    /// Roles.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Customer managed policies.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Providers of web identities.
    #[command(subcommand)]
    OidcProvider(OidcProviderCommand),
    /// Access keys.
    #[command(subcommand)]
    AccessKey(AccessKeyCommand),
    /// Devices for one-time codes, the second factor of users.
    #[command(subcommand)]
    MfaDevice(MfaDeviceCommand),
    /// The key that seals session tokens.
    #[command(subcommand)]
    SessionKey(SessionKeyCommand),
    /// API tokens, for clients that cannot sign.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Clusters of HSMs, as the configuration has them. The server need not run.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Custom key stores.
    #[command(subcommand)]
    KeyStore(KeyStoreCommand),
    /// Stores of `trent xks-proxy`.
    #[command(subcommand)]
    XksStore(XksStoreCommand),
    /// External keys of `trent xks-proxy`.
    #[command(subcommand)]
    XksKey(XksKeyCommand),
    /// The clock of `trent dev`.
    #[command(subcommand)]
    Clock(ClockCommand),
    /// What goes wrong with `trent dev`.
    #[command(subcommand)]
    Fault(FaultCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Show all accounts.
    List,
    /// Add an account.
    Add {
        /// Its 12 digits.
        id: AccountId,
        /// What to call it.
        #[arg(long)]
        name: String,
    },
    /// Refuse everybody in an account from now on. Its keys stay.
    Disable {
        /// Its 12 digits.
        id: AccountId,
    },
    /// Accept an account again.
    Enable {
        /// Its 12 digits.
        id: AccountId,
    },
}

fn set<T: Copy>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn set_some<T: Clone>(setting: &mut Option<T>, given: &Option<T>) {
    if given.is_some() {
        setting.clone_from(given);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_place_may_be_named_before_and_after_the_words_of_admin() {
        for line in ["admin --data-dir /there user list", "admin user list --data-dir /there"] {
            let arguments = Arguments::parse_from(["trent"].into_iter().chain(line.split(' ')));
            let Command::Admin(arguments) = arguments.command else { panic!("admin") };
            assert_eq!(arguments.place.data_dir.unwrap().to_str(), Some("/there"));
        }
    }

    #[test]
    fn flags_override_environment_and_file() {
        let environment = Environment::of([
            ("TRENT_HTTP__LISTEN", "127.0.0.1:1"),
            ("TRENT_LOG__LEVEL", "warn"),
            ("TRENT_DATA__DIR", "/env"),
        ]);
        let arguments =
            Arguments::parse_from(["trent", "serve", "--listen", "127.0.0.1:2", "--data-dir", "/flag"]);
        let Command::Serve(arguments) = arguments.command else { panic!("serve") };
        let config = arguments.load(&environment).unwrap();
        assert_eq!(config.http.listen.0[0].port(), 2);
        assert_eq!(config.data.dir.to_str(), Some("/flag"));
        assert_eq!(config.log.level, "warn");
        assert_eq!(config.ops.listen.port(), 5671);
    }

    #[test]
    fn a_free_port_for_the_api_is_one_for_operations() {
        let load = |arguments: &[&str]| {
            let Command::Serve(arguments) = Arguments::parse_from(arguments).command else { panic!("serve") };
            arguments.load(&Environment::default()).unwrap().ops.listen.port()
        };
        assert_eq!(load(&["trent", "serve", "--listen", "127.0.0.1:0"]), 0);
        assert_eq!(load(&["trent", "serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:9"]), 9);
    }
}
