//! A proxy between client and server that adds time and counts round trips.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Lives as long as its runtime.
pub struct Proxy {
    pub port: u16,
    turns: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

/// What one connection's two directions share.
struct Wire {
    delay: Duration,
    turns: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    /// The last to speak was the client.
    client_spoke: AtomicBool,
}

impl Proxy {
    /// `delay` is added in each direction.
    pub async fn start(server: u16, delay: Duration) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let (turns, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let proxy = Proxy { port, turns: Arc::clone(&turns), open: Arc::clone(&open) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                open.fetch_add(1, Ordering::SeqCst);
                let (turns, open) = (Arc::clone(&turns), Arc::clone(&open));
                let wire = Wire { delay, turns, open, client_spoke: AtomicBool::new(false) };
                let (wire, (from_client, to_client)) = (Arc::new(wire), client.into_split());
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, Arc::clone(&wire), true));
                tokio::spawn(carry(from_server, to_client, wire, false));
            }
        });
        proxy
    }

    /// How many connections clients have not closed.
    #[allow(dead_code, reason = "for the sweeps")]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Round trips since the last call: how often the client spoke after the server did.
    pub fn round_trips(&self) -> usize {
        self.turns.swap(0, Ordering::SeqCst)
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, wire: Arc<Wire>, client: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(mut read @ 1..) = from.read(&mut buffer).await {
        if wire.client_spoke.swap(client, Ordering::SeqCst) != client && client {
            wire.turns.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(wire.delay).await;
        // What was sent together need not have been written at once.
        while let Ok(more @ 1..) = from.try_read(&mut buffer[read..]) {
            read += more;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    if client {
        wire.open.fetch_sub(1, Ordering::SeqCst);
    }
    let _ = to.shutdown().await;
}
