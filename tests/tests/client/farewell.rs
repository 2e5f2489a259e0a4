//! A server that goes away in answer to the beginning of a transaction, as one does that is being stopped.
//!
//! Not through PgBouncer: a helper of `errors_tell_what_happened`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A wire on which the first `times` transactions are answered with this FATAL error, and the connection is closed.
/// Nothing of them reaches the server. Returns its port.
pub async fn farewell(server: u16, code: &'static str, times: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let port = listener.local_addr().expect("an address").port();
    let left = Arc::new(AtomicUsize::new(times));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
            tokio::spawn(carry(client, server, code, Arc::clone(&left)));
        }
    });
    port
}

async fn carry(mut client: TcpStream, mut server: TcpStream, code: &str, left: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let begins = asked[..read].windows(14).any(|part| part == b"enter_pristine");
                let one_less = |left: usize| left.checked_sub(1);
                if begins && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                    let _ = client.write_all(&fatal(code)).await;
                    return;
                }
                if server.write_all(&asked[..read]).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() { return }
            }
        }
    }
}

/// An ErrorResponse.
fn fatal(code: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0Mthe server is going away\0\0");
    let length = u32::try_from(fields.len() + 4).expect("a short message");
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}
