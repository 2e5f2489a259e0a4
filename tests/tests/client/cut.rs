//! A wire that breaks in the middle of an answer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A wire whose `nth` connection, from 0, breaks when the server has said `answers` times that it is ready: what was
/// sent has arrived, and the rest of the answers never do. The others are as any. Returns its port.
pub async fn cut(server: u16, nth: usize, answers: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut count = 0..;
        while let Ok((mut client, _)) = listener.accept().await {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
            let left = (count.next() == Some(nth)).then_some(answers);
            tokio::spawn(async move {
                let Some(left) = left else {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    return;
                };
                let ((mut from_client, to_client), (from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let sent = tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                });
                answer(from_server, to_client, left).await;
                sent.abort();
            });
        }
    });
    port
}

/// Carries whole messages of the server, up to and with the `left`th ReadyForQuery, and closes the client's end. The client
/// then closes its own, and the server, which goes on with what it has, finds the end behind it.
async fn answer(from: OwnedReadHalf, mut to: OwnedWriteHalf, mut left: usize) {
    let mut from = tokio::io::BufReader::new(from);
    let mut head = [0; 5];
    while left > 0 && from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        let _ = (to.write_all(&head).await, to.write_all(&body).await);
        left -= usize::from(head[0] == b'Z');
    }
    drop(to);
    // Answers that nobody took would have the server give up half-way.
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
}
