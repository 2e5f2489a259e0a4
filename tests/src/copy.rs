//! Rows into a table, with COPY.

use std::io::Cursor;

use futures_util::SinkExt;
use tokio_postgres::{Client, Error};

/// How much is sent at once.
const CHUNK: usize = 1 << 18;

/// Loads lines, each ending in a newline, with `copy`, a `COPY … FROM STDIN`.
pub async fn copy_in(client: &Client, copy: &str, lines: impl Iterator<Item = String>) -> Result<u64, Error> {
    let sink = client.copy_in(copy).await?;
    let mut sink = std::pin::pin!(sink);
    let mut chunk = String::new();
    for line in lines {
        chunk.push_str(&line);
        if chunk.len() > CHUNK {
            sink.send(Cursor::new(std::mem::take(&mut chunk).into_bytes())).await?;
        }
    }
    sink.send(Cursor::new(chunk.into_bytes())).await?;
    sink.finish().await
}
