//! A longer way to the server: every byte arrives half of the added round trip later, in both directions.
//!
//! One thread, nothing of root. Each direction of a connection reads what is there, notes when that is due, and writes
//! it then: nothing waits for more, nothing overtakes, and how much may be under way is not limited. tokio's timers
//! count milliseconds, too coarse for half of one; async-io's are the kernel's, exact to some microseconds.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_util::future::try_join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// A port that leads to another, the long way. Dropping it closes its connections.
pub(crate) struct Delay {
    port: u16,
    turns: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Delay {
    /// Leads to `to` with `round_trip` added.
    pub(crate) fn start(to: SocketAddr, round_trip: Duration) -> io::Result<Delay> {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let port = listener.get_ref().local_addr()?.port();
        let turns = Arc::new(AtomicU64::new(0));
        let line = Line { to, half: round_trip / 2, turns: Arc::clone(&turns) };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("delay".into()).spawn(move || {
            async_io::block_on(async {
                tokio::select! { () = line.serve(listener) => {}, _ = stopped => {} }
            });
        })?;
        Ok(Delay { port, turns, stop: Some(stop), thread: Some(thread) })
    }

    /// The port on 127.0.0.1 to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How often, on any connection, a client has spoken after it had heard the server: round trips.
    pub(crate) fn round_trips(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Line {
    to: SocketAddr,
    half: Duration,
    turns: Arc<AtomicU64>,
}

impl Line {
    async fn serve(&self, listener: Async<TcpListener>) {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => connections.push(self.connect(client)),
                    Err(_) => return,
                },
                // What ends a connection is for its two ends to report.
                Some(_) = connections.next() => {}
            }
        }
    }

    async fn connect(&self, client: Async<TcpStream>) -> io::Result<()> {
        let server = Async::<TcpStream>::connect(self.to).await?;
        client.get_ref().set_nodelay(true)?;
        server.get_ref().set_nodelay(true)?;
        let heard = AtomicBool::new(true);
        let spoken = || {
            if heard.swap(false, Ordering::Relaxed) {
                self.turns.fetch_add(1, Ordering::Relaxed);
            }
        };
        let answered = || heard.store(true, Ordering::Relaxed);
        try_join(
            carry(&client, &server, self.half, spoken, || {}),
            carry(&server, &client, self.half, || {}, answered),
        )
        .await?;
        Ok(())
    }
}

/// One direction. `departs` and `arrives` hear of each piece.
async fn carry(
    mut from: &Async<TcpStream>,
    mut to: &Async<TcpStream>,
    half: Duration,
    departs: impl Fn(),
    arrives: impl Fn(),
) -> io::Result<()> {
    let (under_way, mut coming) = mpsc::unbounded_channel();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if length == 0 {
                return Ok(()); // `under_way` ends here, and the writer once it has written the rest
            }
            departs();
            let _ = under_way.send((Instant::now() + half, buffer[..length].to_vec()));
        }
    };
    let write = async move {
        while let Some((due, piece)) = coming.recv().await {
            Timer::at(due).await;
            to.write_all(&piece).await?;
            arrives();
        }
        to.get_ref().shutdown(Shutdown::Write)
    };
    try_join(read, write).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Delay, Duration, Instant, SocketAddr};

    /// A server that answers each four bytes with themselves, and not one before it has all four.
    async fn fours() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, mut four) = (listener.accept().await.unwrap().0, [0; 4]);
            while stream.read_exact(&mut four).await.is_ok() {
                stream.write_all(&four).await.unwrap();
            }
        });
        address
    }

    /// A server that answers each piece with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.unwrap();
                    to.shutdown().await.unwrap();
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn an_answer_is_never_early() {
        let added = Duration::from_micros(1500);
        let delay = Delay::start(echo().await, added).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", delay.port())).await.unwrap();
        for _ in 0..20 {
            let asked = Instant::now();
            stream.write_all(b"?").await.unwrap();
            stream.read_u8().await.unwrap();
            assert!(asked.elapsed() >= added, "{:?}", asked.elapsed());
        }
    }

    #[tokio::test]
    async fn bytes_arrive_as_they_were_sent_and_so_does_the_end() {
        let delay = Delay::start(echo().await, Duration::from_micros(500)).unwrap();
        let (mut from, mut to) = TcpStream::connect(("127.0.0.1", delay.port())).await.unwrap().into_split();
        let sent: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        let all = sent.clone();
        tokio::spawn(async move {
            to.write_all(&all).await.unwrap();
            to.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        from.read_to_end(&mut received).await.unwrap();
        assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
    }

    #[tokio::test]
    async fn pieces_sent_before_the_answer_are_one_round_trip() {
        let delay = Delay::start(fours().await, Duration::from_millis(1)).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", delay.port())).await.unwrap();
        for _ in 0..3 {
            for _ in 0..4 {
                stream.write_all(b"?").await.unwrap();
            }
            stream.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert_eq!(delay.round_trips(), 3);
    }
}
