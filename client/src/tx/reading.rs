//! Reading an answer as it comes, in a transaction that is lent or the reader's own.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use tokio_postgres::Error as PgError;

use crate::error::Error;
use crate::observe::Call;
use crate::tx::open_tx::OpenTx;

/// What comes, and the transaction in which it does.
pub(super) struct Reading<'tx, S> {
    tx: Within<'tx>,
    items: Pin<Box<S>>,
    call: Counted,
}

/// The transaction that is read in.
pub(super) enum Within<'tx> {
    /// Its holder ends it.
    Lent(&'tx mut OpenTx),
    /// It commits when everything was read, and rolls back where that is not to be.
    Own(Box<OpenTx>),
    Committing(Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>),
    Ended,
}

/// Tells how much was read when that ends. Apart from the rest, which would borrow the transaction for longer if it did
/// something itself when it is dropped.
struct Counted {
    call: Call,
    items: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.call.rows(self.items);
    }
}

impl<'tx, S> Reading<'tx, S> {
    pub(super) fn new(tx: Within<'tx>, items: S, call: Call) -> Reading<'tx, S> {
        Reading { tx, items: Box::pin(items), call: Counted { call, items: 0 } }
    }
}

impl Within<'_> {
    pub(super) fn open(&mut self) -> Option<&mut OpenTx> {
        match self {
            Within::Lent(tx) => Some(tx),
            Within::Own(tx) => Some(tx),
            Within::Committing(_) | Within::Ended => None,
        }
    }

    /// Everything was read.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(tx) = self.open() {
            tx.lease.finish_call(true);
        }
        match std::mem::replace(self, Within::Ended) {
            lent @ Within::Lent(_) => {
                *self = lent;
                Poll::Ready(Ok(()))
            }
            Within::Own(tx) => self.poll_commit(Box::pin(tx.commit()), cx),
            Within::Committing(commit) => self.poll_commit(commit, cx),
            Within::Ended => Poll::Ready(Ok(())),
        }
    }

    fn poll_commit(
        &mut self,
        mut commit: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let done = commit.as_mut().poll(cx);
        if done.is_pending() {
            *self = Within::Committing(commit);
        }
        done
    }

    /// Reading failed. A transaction of the reader's own is rolled back.
    fn fail(&mut self, error: PgError) -> Error {
        let error = match self.open() {
            Some(tx) => {
                tx.lease.finish_call(true);
                tx.record_error(error.into())
            }
            None => error.into(),
        };
        if let Within::Own(_) = self {
            *self = Within::Ended;
        }
        error
    }
}

impl<T, S: Stream<Item = Result<T, PgError>>> Stream for Reading<'_, S> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let span = this.call.call.span().clone();
        let _inside = span.enter();
        let item = match this.tx {
            Within::Committing(_) | Within::Ended => None,
            Within::Lent(_) | Within::Own(_) => ready!(this.items.as_mut().poll_next(cx)),
        };
        let error = match item {
            Some(Ok(item)) => {
                this.call.items += 1;
                return Poll::Ready(Some(Ok(item)));
            }
            Some(Err(error)) => this.tx.fail(error),
            None => match ready!(this.tx.poll_end(cx)) {
                Ok(()) => return Poll::Ready(None),
                Err(error) => error,
            },
        };
        this.call.call.failed(&error);
        Poll::Ready(Some(Err(error)))
    }
}

impl<S> fmt::Debug for Reading<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tx {
            Within::Lent(tx) => f.debug_tuple("Lent").field(tx).finish(),
            Within::Own(tx) => f.debug_tuple("Own").field(tx).finish(),
            Within::Committing(_) => f.write_str("Committing"),
            Within::Ended => f.write_str("Ended"),
        }
    }
}
