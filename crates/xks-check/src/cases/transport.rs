//! TLS, certificates, HTTP.

use trent_crypto::certificate::{Certificate, SECONDS_PER_DAY};
use trent_xks::{Api, Route};
use trent_xks_client::{ClientCertificate, Version, WireError};

use super::demand;
use crate::bench::Bench;
use crate::body;
use crate::old_tls;
use crate::report::{Found, Suite};

const SELF_SIGNED: (&[u8], &[u8]) = (
    include_bytes!("../../certificates/self-signed.pem"),
    include_bytes!("../../certificates/self-signed.key.pem"),
);
const EXPIRED: (&[u8], &[u8]) =
    (include_bytes!("../../certificates/expired.pem"), include_bytes!("../../certificates/expired.key.pem"));

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("transport");
    let reachable = connects(bench, &[Version::Tls12, Version::Tls13], true).await;
    let hopeless = reachable.is_err();
    suite.must(
        "the proxy is reached, and its certificate is valid for the host",
        demand(
            "Communication between AWS KMS and the external key store proxy",
            "HTTPS on the endpoint, with a certificate that chains to a trusted root, is valid now and has the name of the \
             host",
        ),
        reachable,
    );
    if hopeless {
        return suite.give_up();
    }
    versions(bench, suite).await;
    suite.must(
        "HTTP/1.1 is spoken",
        demand("API", "HTTP/1.1 must work; HTTP/2 is optional"),
        connects(bench, &[Version::Tls12, Version::Tls13], false).await,
    );
    for api in Api::ALL {
        let found = match bench.get(&bench.path(api)).await {
            Ok(reply) if reply.status == 405 => Ok(()),
            Ok(reply) => Err(crate::bench::shown(&reply)),
            Err(error) => Err(error),
        };
        let demand = demand("API", "status 405, for all APIs take POST alone");
        suite.must(format!("GET on {} is refused", api.name()), demand, found);
    }
    // Now there is a connection to look at.
    certificate(bench, suite);
    clients(bench, suite).await;
}

async fn versions(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    const SUITES: &str = "TLS 1.2 or later, with at least one of TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, \
                          TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    let tls13 = connects(bench, &[Version::Tls13], true).await;
    let tls12 = connects(bench, &[Version::Tls12], true).await;
    let both = tls12.is_ok() || tls13.is_ok();
    let demand_one = demand("TLS", SUITES);
    suite.must("TLS 1.2 or 1.3 with a listed suite is accepted", demand_one, either(both, &tls12, &tls13));
    let advice = demand("TLS", "KMS speaks both; offer both");
    suite.should("TLS 1.2 with a listed suite is accepted", advice, tls12);
    suite.should("TLS 1.3 with a listed suite is accepted", advice, tls13);
    let plan = bench.plan;
    let old = old_tls::is_accepted(&plan.host, &plan.network, plan.patience).await;
    suite.must(
        "TLS 1.1 is refused",
        demand("TLS", "TLS 1.2 or later"),
        match old {
            Ok(false) => Ok(()),
            Ok(true) => Err("a handshake of TLS 1.1 went on".to_owned()),
            Err(error) => Err(error),
        },
    );
}

fn either(any: bool, tls12: &Found, tls13: &Found) -> Found {
    let told = |found: &Found| found.clone().err().unwrap_or_default();
    if any { Ok(()) } else { Err(format!("1.2: {}; 1.3: {}", told(tls12), told(tls13))) }
}

/// Whether a health request is answered by HTTP at all, whatever it says.
async fn connects(bench: &Bench<'_>, versions: &[Version], http2: bool) -> Found {
    let wire = Bench::make_wire(bench.plan, versions, http2, true).map_err(|error| error.to_string())?;
    let path = Route::of_health(&bench.plan.configuration.uri_path);
    let body = body::health("KmsHealthCheck").to_string().into_bytes();
    let sent = (&*body.clone(), body.into());
    match bench.send(&wire, &bench.signing(), &path, sent).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn certificate(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let peer = bench.wire().ok().and_then(trent_xks_client::Wire::peer);
    let Some(Certificate { validity, common_name, .. }) = peer.and_then(|peer| peer.certificate) else {
        return suite.skip("the common name of the certificate", "no connection is kept to look at");
    };
    let found = match common_name {
        Some(name) if names(&name, &bench.plan.host) => Ok(()),
        Some(name) => Err(format!("the common name is `{}`", name.escape_debug())),
        None => Err("there is no common name".to_owned()),
    };
    suite.should(
        "the common name of the certificate is that of the host",
        demand("TLS", "AWS documents the subject's common name: the host, or `*.` and its domain"),
        found,
    );
    let days = (validity.until - bench.plan.clock.now().seconds()).div_euclid(SECONDS_PER_DAY);
    let found = if days >= 10 { Ok(()) } else { Err(format!("it ends in {days} days")) };
    let advice = demand("TLS", "AWS advises an alarm below 10 days");
    suite.should("the certificate is valid for 10 days more", advice, found);
}

fn names(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

async fn clients(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let demand = demand(
        "TLS",
        "with client certificates required, any other certificate, and none, ends the handshake",
    );
    let kinds = [("no", None), ("a self-signed", Some(SELF_SIGNED)), ("an expired", Some(EXPIRED))];
    for (kind, client) in kinds {
        let check = format!("a client with {kind} certificate is refused");
        if bench.plan.client.is_none() {
            suite.skip(check, "without --client-cert, the proxy is not expected to demand one");
            continue;
        }
        suite.must(check, demand, refused(bench, client).await);
    }
}

async fn refused(bench: &Bench<'_>, client: Option<(&[u8], &[u8])>) -> Found {
    let client = client.map(|(chain, key)| ClientCertificate { chain: chain.to_vec(), key: key.to_vec() });
    let wire = Bench::wire_with(bench.plan, &[Version::Tls12, Version::Tls13], true, client)
        .map_err(|error| error.to_string())?;
    let path = Route::of_health(&bench.plan.configuration.uri_path);
    let body = body::health("KmsHealthCheck").to_string().into_bytes();
    match bench.send(&wire, &bench.signing(), &path, (&*body.clone(), body.into())).await {
        // In TLS 1.3 the client learns of it with the first answer only.
        Err(WireError::Tls(_) | WireError::Cut(_) | WireError::Broken(_)) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(reply) => Err(crate::bench::shown(&reply)),
    }
}
