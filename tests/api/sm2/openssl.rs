//! SM2 by the command line of OpenSSL 3, which is an implementation of its own.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const USER: [&str; 2] = ["-pkeyopt", "distid:1234567812345678"];

/// Runs it with `files` in a folder; gives what it writes to `out`, or nothing when it fails.
fn run(arguments: &[&str], files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let folder = TempDir::new().expect("a folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    let done = Command::new("openssl").args(arguments).current_dir(folder.path()).output().expect("openssl");
    let out = read(folder.path());
    done.status.success().then_some(out)
}

fn read(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("out")).unwrap_or_default()
}

/// A private key, as PKCS#8.
pub(super) fn private_key() -> Vec<u8> {
    let made = [
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:SM2",
        "-outform",
        "DER",
        "-out",
        "key",
    ];
    let folder = TempDir::new().expect("a folder");
    let done = Command::new("openssl").args(made).current_dir(folder.path()).output().expect("openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let key = std::fs::read(folder.path().join("key")).expect("the key");
    run(
        &["pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "key", "-outform", "DER", "-out", "out"],
        &[("key", &key)],
    )
    .expect("PKCS#8")
}

/// The public key of a private one, as SPKI.
pub(super) fn public_key(private: &[u8]) -> Vec<u8> {
    let arguments = ["pkey", "-inform", "DER", "-in", "key", "-pubout", "-outform", "DER", "-out", "out"];
    run(&arguments, &[("key", private)]).expect("a public key")
}

pub(super) fn sign(private: &[u8], message: &[u8]) -> Vec<u8> {
    let mut arguments =
        vec!["pkeyutl", "-sign", "-inkey", "key", "-keyform", "DER", "-in", "text", "-out", "out"];
    arguments.extend(["-rawin", "-digest", "sm3"]);
    arguments.extend(USER);
    run(&arguments, &[("key", private), ("text", message)]).expect("a signature")
}

pub(super) fn verifies(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let mut arguments =
        vec!["pkeyutl", "-verify", "-pubin", "-inkey", "key", "-keyform", "DER", "-in", "text"];
    arguments.extend(["-sigfile", "signature", "-rawin", "-digest", "sm3"]);
    arguments.extend(USER);
    run(&arguments, &[("key", public), ("text", message), ("signature", signature)]).is_some()
}

pub(super) fn encrypt(public: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let arguments =
        ["pkeyutl", "-encrypt", "-pubin", "-inkey", "key", "-keyform", "DER", "-in", "text", "-out", "out"];
    run(&arguments, &[("key", public), ("text", plaintext)]).expect("a ciphertext")
}

pub(super) fn decrypt(private: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let arguments = ["pkeyutl", "-decrypt", "-inkey", "key", "-keyform", "DER", "-in", "text", "-out", "out"];
    run(&arguments, &[("key", private), ("text", ciphertext)]).expect("a plaintext")
}

/// SM3(Z ‖ message), GM/T 0003.2 section 5.5: what is signed, of the holder of this public key.
pub(super) fn digest(public: &[u8], message: &[u8]) -> Vec<u8> {
    const USER_ID: &[u8] = b"1234567812345678";
    // GB/T 32918.5: a, b and the generator.
    const CURVE: &str = "fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc\
                         28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93\
                         32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
                         bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";
    let byte = |at| u8::from_str_radix(&CURVE[at..at + 2], 16).expect("two digits");
    let curve: Vec<u8> = (0..CURVE.len()).step_by(2).map(byte).collect();
    let point = &public[public.len() - 64..];
    let sm3 = |text: &[u8]| {
        run(&["dgst", "-sm3", "-binary", "-out", "out", "text"], &[("text", text)]).expect("a digest")
    };
    let z = sm3(&[&[0, 128], USER_ID, &curve, point].concat());
    sm3(&[&z, message].concat())
}
