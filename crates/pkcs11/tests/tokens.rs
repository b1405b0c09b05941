//! Against SoftHSM's tokens, with OpenSC's client and AWS-LC as witnesses.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use trent_pkcs11::{Error, IvMode, KeyId, Module, Sealed, Token};
use trent_softhsm::{MODULE, Shim, Tokens, on_tokens};

const PIN: &str = "kms-user-1";
const ID: KeyId = *b"0123456789abcdef";
const ID_DIGITS: &str = "30313233343536373839616263646566";
const LABEL: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn module(path: impl AsRef<Path>) -> Module {
    Module::load(path.as_ref()).unwrap()
}

fn logged_in(module: &Module, tokens: &Tokens, index: usize) -> Arc<Token> {
    let token = module.token(tokens.serial(index), 4).unwrap();
    token.log_in(PIN).unwrap();
    token
}

/// A key whose bytes are known, put into the first token by OpenSC's client.
fn known_key(tokens: &Tokens) -> LessSafeKey {
    let bytes: Vec<u8> = (0..32).collect();
    let file = tokens.folder().join("key");
    std::fs::write(&file, &bytes).unwrap();
    let file = file.display().to_string();
    let object = ["--write-object", &file, "--type", "secrkey", "--key-type", "AES:32"];
    let named = ["--id", ID_DIGITS, "--label", "known", "--usage-decrypt"];
    tokens.tool_of(0, PIN, &[&object[..], &named[..]].concat());
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).unwrap())
}

fn opened_elsewhere(key: &LessSafeKey, sealed: &Sealed, aad: &[u8]) -> Vec<u8> {
    let mut bytes = sealed.ciphertext.clone();
    let nonce = Nonce::assume_unique_for_key(sealed.iv);
    key.open_in_place(nonce, Aad::from(aad), &mut bytes).unwrap().to_vec()
}

#[test]
fn a_key_is_made_in_one_token_and_cannot_leave_it() {
    on_tokens("a_key_is_made_in_one_token_and_cannot_leave_it", &[Some(PIN), Some(PIN)], |tokens| {
        let module = module(MODULE);
        let [first, second] = [0, 1].map(|index| logged_in(&module, tokens, index));
        let made = first.generate(&ID, LABEL).unwrap();
        assert_eq!((made.label.as_str(), made.bytes), (LABEL, 32));
        assert_eq!(first.find(ID), Ok(made));
        assert_eq!(second.find(ID), Err(Error::KeyNotFound));

        let seen = tokens.tool_of(0, PIN, &["--list-objects", "--type", "secrkey"]);
        let lines: Vec<&str> = seen.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert!(lines.contains(&"Secret Key Object; AES length 32"), "{seen}");
        assert!(lines.contains(&format!("label:      {LABEL}").as_str()), "{seen}");
        assert!(lines.contains(&format!("ID:         {ID_DIGITS}").as_str()), "{seen}");
        assert!(lines.contains(&"Usage:      encrypt, decrypt"), "{seen}");
        assert!(
            lines.contains(&"Access:     sensitive, always sensitive, never extractable, local"),
            "{seen}"
        );

        assert_eq!(first.destroy(&ID), Ok(()));
        assert_eq!(first.destroy(&ID), Err(Error::KeyNotFound));
        assert_eq!(tokens.tool_of(0, PIN, &["--list-objects", "--type", "secrkey"]), "");
    });
}

#[test]
fn a_key_that_cannot_be_looked_at_is_not_left_behind() {
    on_tokens("a_key_that_cannot_be_looked_at_is_not_left_behind", &[Some(PIN)], |tokens| {
        let shim = Shim::new(tokens);
        let module = module(shim.module());
        let token = logged_in(&module, tokens, 0);
        // An invalid handle, after which it is tried again; a device error.
        for code in ["82", "30"] {
            shim.order("C_GetAttributeValue", &format!("fail {code}"));
            assert!(token.generate(&ID, LABEL).is_err());
            shim.revoke("C_GetAttributeValue");
            assert_eq!(token.find(ID), Err(Error::KeyNotFound), "{code}");
        }
        token.generate(&ID, LABEL).unwrap();
        token.generate(&ID, LABEL).unwrap();
        assert_eq!(token.find(ID), Err(Error::KeyAmbiguous));
        assert_eq!(token.destroy(&ID), Ok(()), "whatever has the identifier");
        assert_eq!(token.find(ID), Err(Error::KeyNotFound));
    });
}

#[test]
fn another_implementation_agrees_on_ciphertexts() {
    on_tokens("another_implementation_agrees_on_ciphertexts", &[Some(PIN)], |tokens| {
        let known = known_key(tokens);
        let module = module(MODULE);
        let token = logged_in(&module, tokens, 0);
        let mut ivs = HashSet::new();
        for (length, aad) in [(0, &b""[..]), (1, b"a"), (32, b""), (4096, &[7; 8192]), (4300, &[9; 65535])] {
            let plaintext: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let sealed = token.encrypt(ID, IvMode::Caller, &plaintext, aad).unwrap();
            assert_eq!(opened_elsewhere(&known, &sealed, aad), plaintext);
            ivs.insert(sealed.iv);

            let mut ciphertext = plaintext.clone();
            let iv = [length as u8 + 1; 12];
            let nonce = Nonce::assume_unique_for_key(iv);
            known.seal_in_place_append_tag(nonce, Aad::from(aad), &mut ciphertext).unwrap();
            let opened = token.decrypt(ID, IvMode::Caller, &Sealed { iv, ciphertext }, aad).unwrap();
            assert_eq!(*opened, plaintext);
        }
        assert_eq!(ivs.len(), 5);
    });
}

#[test]
fn the_iv_comes_from_where_the_module_puts_it() {
    on_tokens("the_iv_comes_from_where_the_module_puts_it", &[Some(PIN)], |tokens| {
        let known = known_key(tokens);
        let shim = Shim::new(tokens);
        let module = module(shim.module());
        let token = logged_in(&module, tokens, 0);
        let encrypt = |mode| token.encrypt(ID, mode, b"plaintext", b"aad");

        // SoftHSM takes zeros and nothing as they are, and every ciphertext would have the same IV.
        assert!(encrypt(IvMode::Caller).is_ok());
        for mode in [IvMode::ZeroInPlace, IvMode::Appended] {
            assert!(matches!(encrypt(mode), Err(Error::IvMode(_))), "{mode:?}");
        }

        shim.order("C_EncryptInit", "own-iv");
        let mut ivs = HashSet::new();
        for mode in [IvMode::ZeroInPlace, IvMode::Appended, IvMode::ZeroInPlace, IvMode::Appended] {
            let sealed = encrypt(mode).unwrap();
            assert_eq!(opened_elsewhere(&known, &sealed, b"aad"), b"plaintext", "{mode:?}");
            assert_eq!(*token.decrypt(ID, mode, &sealed, b"aad").unwrap(), b"plaintext", "{mode:?}");
            ivs.insert(sealed.iv);
        }
        assert_eq!(ivs.len(), 4);
        assert!(matches!(encrypt(IvMode::Caller), Err(Error::IvMode(_))));
    });
}

#[test]
fn a_wrong_ciphertext_is_told_from_a_device_that_fails() {
    on_tokens("a_wrong_ciphertext_is_told_from_a_device_that_fails", &[Some(PIN)], |tokens| {
        let shim = Shim::new(tokens);
        let module = module(shim.module());
        let token = logged_in(&module, tokens, 0);
        token.generate(&ID, LABEL).unwrap();
        let sealed = token.encrypt(ID, IvMode::Caller, b"plaintext", b"aad").unwrap();
        let decrypt = |sealed: &Sealed, aad: &[u8]| {
            token.decrypt(ID, IvMode::Caller, sealed, aad).map(|plaintext| plaintext.to_vec())
        };
        let altered = |position: usize| {
            let mut ciphertext = sealed.ciphertext.clone();
            ciphertext[position] ^= 1;
            Sealed { ciphertext, iv: sealed.iv }
        };
        let mut other_iv = sealed.clone();
        other_iv.iv[0] ^= 1;
        let short = Sealed { ciphertext: vec![0; 15], iv: sealed.iv };
        for wrong in [altered(0), altered(sealed.ciphertext.len() - 1), other_iv, short] {
            assert_eq!(decrypt(&wrong, b"aad"), Err(Error::InvalidCiphertext));
        }
        // Whether the token is well is tried on what it has encrypted once: each time it would use up an IV.
        shim.order("C_Encrypt", "fail 30");
        assert_eq!(decrypt(&sealed, b"other"), Err(Error::InvalidCiphertext));
        shim.revoke("C_Encrypt");
        // General error, and device error.
        for code in ["5", "30"] {
            shim.order("C_Decrypt", &format!("fail {code}"));
            assert!(matches!(decrypt(&sealed, b"aad"), Err(Error::Device(_))), "{code}");
        }
        shim.revoke("C_Decrypt");
        assert_eq!(decrypt(&sealed, b"aad"), Ok(b"plaintext".to_vec()));
    });
}

#[test]
fn pins_are_tried_and_changed() {
    on_tokens("pins_are_tried_and_changed", &[Some(PIN), None], |tokens| {
        let shim = Shim::new(tokens);
        let module = module(shim.module());
        let [token, without_user] = [0, 1].map(|index| module.token(tokens.serial(index), 4).unwrap());
        assert_eq!(without_user.log_in(PIN), Err(Error::PinNotInitialized));
        assert_eq!(token.log_in("wrong-pin"), Err(Error::PinIncorrect));
        assert_eq!(token.change_pin(PIN, "new-pin"), Err(Error::NotLoggedIn));
        for (code, error) in
            [("a4", Error::PinLocked), ("100", Error::UserTypeBusy), ("e0", Error::TokenNotPresent)]
        {
            shim.order("C_Login", &format!("fail {code}"));
            assert_eq!(token.log_in(PIN), Err(error));
        }
        shim.revoke("C_Login");

        assert_eq!(token.log_in(PIN), Ok(()));
        assert_eq!(token.change_pin("wrong-pin", "new-pin"), Err(Error::PinIncorrect));
        assert_eq!(token.change_pin(PIN, "x"), Err(Error::PinUnacceptable));
        assert!(tokens.is_pin(0, PIN));
        assert_eq!(token.change_pin(PIN, "new-pin"), Ok(()));
        assert!(tokens.is_pin(0, "new-pin") && !tokens.is_pin(0, PIN));
        assert_eq!(token.log_out(), Ok(()));
        assert_eq!(token.log_in(PIN), Err(Error::PinIncorrect));
        assert_eq!(token.log_in("new-pin"), Ok(()));
    });
}

#[test]
fn tokens_are_found_by_serial_number() {
    on_tokens("tokens_are_found_by_serial_number", &[Some(PIN), Some(PIN), None], |tokens| {
        let module = module(MODULE);
        let facts = module.tokens().unwrap();
        for (index, serial) in tokens.serials().iter().enumerate() {
            let token = facts.iter().find(|token| &token.serial == serial).unwrap();
            assert_eq!((token.label.clone(), token.has_user_pin), (format!("hsm-{index}"), index < 2));
        }
        assert_eq!(module.token("0000000000000000", 4).err(), Some(Error::TokenNotPresent));
        let loaded = Module::load(Path::new("/nowhere/module.so"));
        assert!(matches!(loaded, Err(Error::Module(_))));
    });
}

#[test]
fn sessions_are_shared_and_handles_outlive_nothing() {
    on_tokens("sessions_are_shared_and_handles_outlive_nothing", &[Some(PIN)], |tokens| {
        let module = module(MODULE);
        let token = module.token(tokens.serial(0), 2).unwrap();
        token.log_in(PIN).unwrap();
        token.generate(&ID, LABEL).unwrap();
        let round = || {
            let sealed = token.encrypt(ID, IvMode::Caller, b"plaintext", b"aad")?;
            token.decrypt(ID, IvMode::Caller, &sealed, b"aad").map(|plaintext| plaintext.to_vec())
        };
        std::thread::scope(|scope| {
            // More threads than sessions.
            let threads: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| (0..50).all(|_| round() == Ok(b"plaintext".to_vec()))))
                .collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
        token.log_out().unwrap();
        assert_eq!(round(), Err(Error::NotLoggedIn));
        token.log_in(PIN).unwrap();
        assert_eq!(round(), Ok(b"plaintext".to_vec()));

        let mut random = [[0; 64]; 2];
        for bytes in &mut random {
            token.random(bytes).unwrap();
        }
        assert_ne!(random[0], random[1]);

        // Behind trent's back.
        tokens.tool_of(0, PIN, &["--delete-object", "--type", "secrkey", "--id", ID_DIGITS]);
        assert_eq!(round(), Err(Error::KeyNotFound));
        known_key(tokens);
        known_key(tokens);
        assert_eq!(round(), Err(Error::KeyAmbiguous));
    });
}

#[test]
fn a_movable_key_is_copied_to_another_token_and_moves_no_more() {
    let name = "a_movable_key_is_copied_to_another_token_and_moves_no_more";
    on_tokens(name, &[Some(PIN), Some(PIN)], |tokens| {
        let module = module(MODULE);
        let [first, second] = [0, 1].map(|index| logged_in(&module, tokens, index));
        first.generate_movable(&ID, LABEL).unwrap();
        assert!(first.find(ID).unwrap().extractable);
        let copy = first.copy_to(&second, &ID, LABEL).unwrap();
        assert!(copy.sensitive && !copy.extractable && !copy.local && copy.label == LABEL);
        let settled = first.settle(&ID).unwrap();
        assert!(
            settled.always_sensitive && settled.local && !settled.extractable && !settled.never_extractable
        );
        assert!(first.copy_to(&second, &ID, LABEL).is_err(), "it moves no more");
        assert!(second.copy_to(&first, &ID, LABEL).is_err(), "nor does the copy");

        let sealed = first.encrypt(ID, IvMode::Caller, b"plaintext", b"aad").unwrap();
        assert_eq!(*second.decrypt(ID, IvMode::Caller, &sealed, b"aad").unwrap(), b"plaintext");
        for index in [0, 1] {
            // What it was wrapped under is gone.
            let seen = tokens.tool_of(index, PIN, &["--list-objects"]);
            assert_eq!(seen.matches("Object").count(), 1, "{seen}");
            assert!(seen.contains("Secret Key Object; AES"), "{seen}");
        }
    });
}
