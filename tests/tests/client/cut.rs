//! A proxy that breaks a connection in the middle of an answer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A wire whose `nth` connection, from 0, breaks when the server has said `answers` times that it is ready, and is
/// asked for more: it does that, and only then the client finds the answer missing. The others are as any. Returns its
/// port.
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
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let (ask_for, asked) = watch::channel(0);
                let asking = tokio::spawn(ask(from_client, to_server, ask_for));
                answer(from_server, to_client, left, asked).await;
                asking.abort();
            });
        }
    });
    port
}

/// Carries what the client sends, and counts before the server has it how often that is to say that it is ready.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, asked: watch::Sender<usize>) {
    let (mut buffer, mut unread, mut started) = (vec![0; 64 * 1024], Vec::new(), false);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        unread.extend_from_slice(&buffer[..read]);
        // The first message has no type.
        while let Some(length) = unread.get(usize::from(started)..).and_then(|rest| rest.first_chunk()) {
            let end = usize::from(started) + u32::from_be_bytes(*length) as usize;
            if unread.len() < end {
                break;
            }
            let is_answered = !started || matches!(unread[0], b'Q' | b'S');
            asked.send_modify(|asked| *asked += usize::from(is_answered));
            started = true;
            unread.drain(..end);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Carries whole messages of the server, up to and with the `left`th ReadyForQuery, and keeps to itself what comes
/// behind it. Closes the client's end when that is there and the server has nothing more to do.
async fn answer(from: OwnedReadHalf, mut to: OwnedWriteHalf, left: usize, mut asked: watch::Receiver<usize>) {
    let mut from = tokio::io::BufReader::new(from);
    let (mut head, mut answered) = ([0; 5], 0);
    loop {
        if answered >= left && answered >= *asked.borrow_and_update() {
            if answered > left || asked.changed().await.is_err() {
                return;
            }
            continue;
        }
        if from.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        if answered < left {
            let _ = (to.write_all(&head).await, to.write_all(&body).await);
        }
        answered += usize::from(head[0] == b'Z');
    }
}
