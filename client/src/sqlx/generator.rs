//! A stream that a future writes: what it reads from may be its own.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;

/// What the future puts out, one at a time.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Puts an item out, and waits until it was taken: until the stream is asked for the next.
    pub(super) async fn put(&self, item: T) {
        *self.lock() = Some(item);
        // Whoever takes it polls the future next, so nobody needs to be woken.
        poll_fn(|_| if self.lock().is_none() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Generator<'e, T, E> {
    slot: Slot<T>,
    /// `None` once it has ended.
    work: Option<BoxFuture<'e, Result<(), E>>>,
}

/// What `work` puts out, and its error as the last item. Dropping the stream drops `work`.
pub(super) fn generator<'e, T, E, F>(work: impl FnOnce(Slot<T>) -> F) -> Generator<'e, T, E>
where
    F: Future<Output = Result<(), E>> + Send + 'e,
{
    let slot = Arc::default();
    let work = work(Slot(Arc::clone(&slot)));
    Generator { slot: Slot(slot), work: Some(Box::pin(work)) }
}

impl<T, E> Stream for Generator<'_, T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let polled = work.as_mut().poll(cx);
        if let Poll::Ready(ended) = polled {
            self.work = None;
            return Poll::Ready(ended.err().map(Err));
        }
        let item = self.slot.lock().take();
        item.map_or(Poll::Pending, |item| Poll::Ready(Some(Ok(item))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn what_is_put_out_comes_in_order_and_an_error_last() {
        let stream = generator(|slot| async move {
            slot.put(1).await;
            tokio::task::yield_now().await;
            slot.put(2).await;
            Err("over")
        });
        assert_eq!(stream.collect::<Vec<_>>().await, [Ok(1), Ok(2), Err("over")]);
        let one = generator(|slot| async move {
            slot.put(7).await;
            Ok::<(), ()>(())
        });
        assert_eq!(one.count().await, 1);
    }
}
