//! A call that waits for its turn.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Share;
use super::shared::Shared;

/// A call in the queue. Dropped at any moment it leaves nothing behind: neither its place, nor the connection it was
/// given meanwhile.
pub(super) struct Waiting {
    pub(super) shared: Arc<Shared>,
    pub(super) share: Share,
    pub(super) number: u64,
    pub(super) served: oneshot::Receiver<()>,
    /// It was served, and a permit has what it was given.
    pub(super) holds_nothing: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.holds_nothing {
            return;
        }
        let (share, number) = (self.share, self.number);
        self.shared.with_queue(|queue| {
            if !queue.leave(share, number) {
                queue.free();
                queue.give_back(share);
            }
        });
    }
}
