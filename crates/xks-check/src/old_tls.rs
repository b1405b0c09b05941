//! A handshake that must fail: TLS 1.1, which rustls does not speak. Its first message is written here by hand.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use trent_xks_client::Network;

/// Whether the server goes on after a hello of TLS 1.1.
pub(crate) async fn is_accepted(host: &str, network: &Network, patience: Duration) -> Result<bool, String> {
    let addresses = network.addresses(host).await.map_err(|error| error.to_string())?;
    let address = addresses.first().ok_or("the host has no address")?;
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&hello(host)).await?;
        let mut first = [0];
        // A record of type handshake is a hello in return; an alert, or nothing, is a refusal.
        Ok::<_, std::io::Error>(
            stream.read(&mut first).await.is_ok_and(|read| read == 1) && first == [HANDSHAKE],
        )
    };
    match timeout(patience * 4, asked).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Ok(false),
    }
}

const HANDSHAKE: u8 = 22;
const TLS_1_1: [u8; 2] = [3, 2];

/// RFC 4346 section 7.4.1.2, with the extensions that servers ask for.
fn hello(host: &str) -> Vec<u8> {
    // ECDHE with AES-CBC, RSA with AES-CBC and 3DES: what there was.
    const SUITES: [u8; 14] = [0xc0, 0x14, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x09, 0, 0x35, 0, 0x2f, 0, 0x0a];
    const GROUPS: [u8; 6] = [0, 4, 0, 23, 0, 24];
    let name = block(2, &[&[0][..], &block(2, host.as_bytes())].concat());
    let extensions = [
        [&[0, 0][..], &block(2, &name)].concat(),
        [&[0, 10][..], &block(2, &GROUPS)].concat(),
        [&[0, 11][..], &block(2, &[1, 0])].concat(),
    ]
    .concat();
    let body = [&TLS_1_1[..], &[7; 32], &[0], &block(2, &SUITES), &[1, 0], &block(2, &extensions)].concat();
    let message = [&[1][..], &block(3, &body)].concat();
    [&[HANDSHAKE, 3, 1][..], &block(2, &message)].concat()
}

/// Bytes with their length before them.
fn block(length_bytes: usize, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let start = length.len().saturating_sub(length_bytes);
    [length.get(start..).unwrap_or_default(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_has_the_lengths_of_its_parts() {
        let hello = hello("proxy.test");
        assert_eq!(hello[..5], [22, 3, 1, 0, u8::try_from(hello.len() - 5).unwrap()]);
        assert_eq!(hello[5..11], [1, 0, 0, u8::try_from(hello.len() - 9).unwrap(), 3, 2]);
        assert!(hello.windows(10).any(|window| window == b"proxy.test"));
    }
}
