//! Cryptography with keys, and random bytes.

mod decapsulate;
mod decrypt;
mod derive_shared_secret;
mod encapsulate;
mod encrypt;
mod generate_data_key;
mod generate_data_key_pair;
mod generate_data_key_pair_without_plaintext;
mod generate_data_key_without_plaintext;
mod generate_mac;
mod generate_random;
mod re_encrypt;
mod sign;
mod verify;
mod verify_mac;
