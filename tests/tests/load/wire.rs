//! A wire between client and server that is cut at random: what the server answered last is lost with it.

use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Lives as long as its runtime.
pub struct Wire {
    pub port: u16,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Wire {
    pub async fn start(server: u16) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let carried = tokio::spawn(carry(client, server)).abort_handle();
                accepted.lock().unwrap_or_else(PoisonError::into_inner).push(carried);
            }
        });
        Wire { port, connections }
    }

    /// Cuts one connection, if there is any.
    pub fn cut(&self, rng: &mut StdRng) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| !connection.is_finished());
        if !connections.is_empty() {
            let at = rng.random_range(0..connections.len());
            connections.swap_remove(at).abort();
        }
    }
}

async fn carry(mut client: TcpStream, server: u16) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
