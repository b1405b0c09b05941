//! HSMs: whether the libraries load, and the tokens are there, take a PIN, and can what is asked of them. Nobody is logged
//! in here, so that no PIN is tried; whoever opens a root key that is in an HSM does that.

use std::path::Path;

use jiff::Timestamp as Time;
use trent_domain::key_store::{Hsm, HsmState};
use trent_domain::time::Clock;
use trent_hsm::{Error, TokenFacts, Worker, mechanism};

use super::Finding;
use crate::clock::SystemClock;
use crate::clusters::{Reached, registered};
use crate::config::{Config, KeyReplication};
use crate::data_dir::mode;
use crate::root_key::HsmKey;
use crate::secret_source::SecretSource;
use crate::token::TokenPlace;
use crate::xks::place_of;

/// Seconds that the clock of a token may be off; trent does not read it, but its log is worth less then.
const CLOCK_SECONDS: u64 = 300;

const FOR_KEYS: [(u64, &str); 2] =
    [(mechanism::AES_KEY_GEN, "CKM_AES_KEY_GEN"), (mechanism::AES_GCM, "CKM_AES_GCM")];
const FOR_TRANSFERS: [(u64, &str); 2] =
    [(mechanism::RSA_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN"), (mechanism::RSA_OAEP, "CKM_RSA_PKCS_OAEP")];

/// What is found of all HSMs in the configuration. `root_key` is that of this deployment, where it is in one.
pub(super) fn check(config: &Config, root_key: Option<&HsmKey>) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::wrong(format!("HSMs: {error}"))],
    };
    runtime.block_on(async {
        let mut findings = clusters(config).await;
        if let Some(place) = root_key.and_then(|key| key.place().ok()) {
            findings.extend(token("HSM of the root key", &place).await);
        }
        for section in &config.xks_proxy.token {
            match place_of(config, section) {
                Ok(place) => {
                    findings.extend(token(&format!("HSM `{}` of external keys", section.name), &place).await);
                }
                Err(error) => findings.push(Finding::wrong(format!("HSM `{}`: {error:#}", section.name))),
            }
        }
        findings
    })
}

async fn clusters(config: &Config) -> Vec<Finding> {
    if let Err(error) = registered(&config.hsm) {
        return vec![Finding::wrong(format!("clusters: {error:#}"))];
    }
    let mut findings = Vec::new();
    for cluster in &config.hsm.cluster {
        let topic = format!("cluster {}", cluster.cluster_id);
        let worker = match Reached::new(&config.hsm, cluster).worker() {
            Ok(worker) => worker,
            Err(error) => {
                findings.push(Finding::wrong(format!("{topic}: {error}")));
                continue;
            }
        };
        if let Err(error) = worker.tokens().await {
            let (module, what) = (cluster.module.display(), what_to_do(&error));
            findings.push(Finding::wrong(format!("{topic}: the PKCS#11 library {module}: {error}; {what}")));
            continue;
        }
        let mut needed = FOR_KEYS.to_vec();
        if cluster.replication == KeyReplication::OaepTransfer {
            needed.extend(FOR_TRANSFERS);
        }
        let active: Vec<&Hsm> = cluster.hsms.iter().filter(|hsm| hsm.state == HsmState::Active).collect();
        for hsm in &active {
            let topic = format!("{topic}: {}", hsm.id);
            match worker.facts(&hsm.token_serial).await {
                Ok(facts) => findings.extend(judge(&topic, &worker, &facts, &needed).await),
                Err(error) => {
                    let (serial, what) = (&hsm.token_serial, what_to_do(&error));
                    findings.push(Finding::wrong(format!("{topic}: the token {serial}: {error}; {what}")));
                }
            }
        }
        findings.extend(zones(&topic, &active));
    }
    findings
}

/// A key store is made of a cluster with two active HSMs in different zones.
fn zones(topic: &str, active: &[&Hsm]) -> Option<Finding> {
    let first = active.first().map(|hsm| &hsm.availability_zone);
    let apart = active.iter().any(|hsm| Some(&hsm.availability_zone) != first);
    (!apart).then(|| {
        Finding::warning(format!(
            "{topic}: its active HSMs are in one availability zone; no key can be made in it before another is added in a \
             second zone"
        ))
    })
}

async fn token(topic: &str, place: &TokenPlace) -> Vec<Finding> {
    let mut findings: Vec<_> = pin_file(topic, &place.pin).into_iter().collect();
    let worker = match place.worker() {
        Ok(worker) => worker,
        Err(trouble) => return vec![Finding::wrong(format!("{topic}: {}", trouble.text))],
    };
    match place.facts(&worker).await {
        Ok(facts) => findings.extend(judge(topic, &worker, &facts, &FOR_KEYS).await),
        Err(trouble) => findings.push(Finding::wrong(format!("{topic}: {}", trouble.text))),
    }
    findings
}

fn pin_file(topic: &str, pin: &SecretSource) -> Option<Finding> {
    let file: &Path = pin.file.as_deref()?;
    let shown = file.display();
    match mode(file) {
        Ok(mode) if mode & 0o077 != 0 => Some(Finding::wrong(format!(
            "{topic}: others may read the PIN in {shown} (mode {mode:o}); chmod 600 it"
        ))),
        Ok(_) => None,
        Err(error) => Some(Finding::wrong(format!(
            "{topic}: the PIN file {shown}: {error}; write the PIN into it, for its owner alone"
        ))),
    }
}

/// A token that is there.
async fn judge(topic: &str, worker: &Worker, facts: &TokenFacts, needed: &[(u64, &str)]) -> Vec<Finding> {
    let mut findings: Vec<_> = pin(topic, facts).into_iter().chain(clock(topic, facts)).collect();
    match worker.mechanisms(&facts.serial).await {
        Ok(has) => {
            let lacks = needed.iter().filter(|(number, _)| !has.contains(number)).map(|(_, name)| *name);
            let lacks: Vec<_> = lacks.collect();
            if !lacks.is_empty() {
                findings.push(Finding::wrong(format!(
                    "{topic}: the token has no {}; allow it in the HSM's policy, or use another HSM",
                    lacks.join(", ")
                )));
            }
        }
        Err(error) => {
            findings
                .push(Finding::wrong(format!("{topic}: its mechanisms: {error}; {}", what_to_do(&error))));
        }
    }
    if findings.is_empty() {
        let TokenFacts { serial, label, model, .. } = facts;
        findings.push(Finding::fine(format!(
            "{topic}: the token {serial}, `{label}` ({model}), is there and ready"
        )));
    }
    findings
}

fn pin(topic: &str, facts: &TokenFacts) -> Option<Finding> {
    match facts {
        TokenFacts { is_pin_locked: true, .. } => Some(Finding::wrong(format!(
            "{topic}: too many wrong PINs have locked it; its security officer can unlock it, then put the right PIN in place"
        ))),
        TokenFacts { has_user_pin: false, .. } => Some(Finding::wrong(format!(
            "{topic}: its user has no PIN; its security officer can set one (C_InitPIN, `pkcs11-tool --init-pin`)"
        ))),
        TokenFacts { is_pin_at_final_try: true, .. } => Some(Finding::wrong(format!(
            "{topic}: the next wrong PIN locks it; log in once with the vendor's tool and the right PIN before trent tries"
        ))),
        TokenFacts { is_pin_count_low: true, .. } => Some(Finding::warning(format!(
            "{topic}: a wrong PIN was tried last; make sure that the PIN that trent has is right"
        ))),
        _ => None,
    }
}

fn clock(topic: &str, facts: &TokenFacts) -> Option<Finding> {
    let clock = facts.clock.as_deref()?;
    let Ok(says) = clock.parse::<Time>() else {
        return Some(Finding::warning(format!("{topic}: its clock says {clock}, which is no time; set it")));
    };
    let off = says.as_second().abs_diff(SystemClock.now().seconds());
    (off > CLOCK_SECONDS).then(|| {
        Finding::warning(format!(
            "{topic}: its clock is {off} seconds off; set it, so that its log fits trent's"
        ))
    })
}

fn what_to_do(error: &Error) -> &'static str {
    match error {
        Error::TimedOut => {
            "look after the HSM and the way to it, or raise hsm.start_seconds and hsm.call_seconds"
        }
        Error::Died => "the library crashed; ask its vendor, and see what it has written to the log",
        Error::Token(trent_hsm::TokenError::TokenNotPresent) => {
            "attach the HSM and start what its vendor's library needs, or correct token_serial"
        }
        Error::Token(trent_hsm::TokenError::Module(_)) => {
            "install it where the setting `module` says, with all the libraries that it needs"
        }
        _ => "look after the HSM; its own log may say more",
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn pins_are_judged_by_what_is_left_of_them() {
        let well = TokenFacts { has_user_pin: true, ..TokenFacts::default() };
        let grade = |facts: &TokenFacts| pin("t", facts).map(|finding| finding.grade);
        assert_eq!(grade(&well), None);
        assert_eq!(grade(&TokenFacts { is_pin_count_low: true, ..well.clone() }), Some(Grade::Warning));
        assert_eq!(grade(&TokenFacts { is_pin_at_final_try: true, ..well.clone() }), Some(Grade::Wrong));
        assert_eq!(grade(&TokenFacts { is_pin_locked: true, ..well.clone() }), Some(Grade::Wrong));
        assert_eq!(grade(&TokenFacts { has_user_pin: false, ..well }), Some(Grade::Wrong));
    }

    #[test]
    fn clocks_are_judged_by_how_far_they_are_off() {
        let now = SystemClock.now().seconds();
        let says = |clock: String| {
            let facts = TokenFacts { clock: Some(clock), ..TokenFacts::default() };
            clock_text(&facts)
        };
        let at = |seconds: i64| Time::from_second(seconds).unwrap().to_string();
        assert_eq!(says(at(now)), None);
        assert_eq!(clock_text(&TokenFacts::default()), None);
        assert!(says(at(now - 4000)).unwrap().contains("seconds off"));
        assert!(says("0000-00-00T00:00:00Z".to_owned()).unwrap().contains("no time"));
    }

    fn clock_text(facts: &TokenFacts) -> Option<String> {
        clock("t", facts).map(|finding| finding.text)
    }
}
