//! A resolver of names that does not answer, which nothing can call back.

use std::process::Command;

use serde_json::json;

use crate::support::{Ask, Server, serve};

#[test]
fn names_that_are_never_answered_cost_few_threads_and_do_not_keep_a_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("resolver.c"), folder.path().join("resolver.so"));
    std::fs::write(&source, include_str!("resolver.c")).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiler.status().unwrap().success());

    let server = Server::start(serve(&folder.path().join("data")).env("LD_PRELOAD", &library));
    let threads = || std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().count();
    let create = |path: &str| {
        server.call(
            "CreateCustomKeyStore",
            &json!({
                "CustomKeyStoreName": path,
                "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
                "XksProxyConnectivity": "PUBLIC_ENDPOINT",
                "XksProxyUriEndpoint": "https://hangs.example.com",
                "XksProxyUriPath": format!("/{path}/kms/xks/v1"),
                "XksProxyAuthenticationCredential":
                    {"AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "a".repeat(44)},
            }),
        )
    };
    let before = threads();
    for number in 0..6 {
        let (status, refused) = create(&format!("path-{number}"));
        assert_eq!((status, &refused["__type"]), (400, &json!("XksProxyUriUnreachableException")));
    }
    // Twelve lookups, of which four were let in and wait for ever.
    let more = threads() - before;
    assert!((1..=6).contains(&more), "{more}");
    server.stop();
}
