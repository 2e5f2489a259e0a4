//! Transactions that are lent to work, and come back when it drops them.

use std::sync::{Arc, Mutex, PoisonError};

/// Where a transaction comes back to, when the work lets go of it.
pub(crate) struct Home<Tx>(Arc<Mutex<Option<Tx>>>);

impl<Tx> Home<Tx> {
    pub(crate) fn new() -> Home<Tx> {
        Home(Arc::new(Mutex::new(None)))
    }

    pub(crate) fn take(&self) -> Option<Tx> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn lend(&self, tx: Tx) -> Lent<Tx> {
        Lent { tx: Some(tx), home: Home(Arc::clone(&self.0)) }
    }
}

/// A transaction that goes home when it is dropped.
pub(crate) struct Lent<Tx> {
    tx: Option<Tx>,
    home: Home<Tx>,
}

impl<Tx> Lent<Tx> {
    #[cfg(feature = "jobs")]
    pub(crate) fn get(&self) -> &Tx {
        self.tx.as_ref().expect("a transaction that is lent")
    }

    pub(crate) fn tx(&mut self) -> &mut Tx {
        // It is taken by `drop` alone.
        self.tx.as_mut().expect("a transaction that is lent")
    }
}

impl<Tx> Drop for Lent<Tx> {
    fn drop(&mut self) {
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = self.tx.take();
    }
}

/// What work is given: which work it is, and a transaction that is lent to it.
macro_rules! lent {
    ($(#[doc = $doc:literal])+ $Name:ident, $Context:ty, $Tx:ty) => {
        $(#[doc = $doc])+
        pub struct $Name {
            pub(super) context: $Context,
            pub(super) lent: $crate::worker::Lent<$Tx>,
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($Name)).field(&self.context).finish()
            }
        }
    };
}
pub(crate) use lent;
