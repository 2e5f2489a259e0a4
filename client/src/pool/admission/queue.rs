//! The order in which connections are lent: a state machine without I/O and without time.
//!
//! What always holds: no more are lent than there are; while one is free, nobody waits who may have it; and a share
//! that neither has nor waits for one is forgotten.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Share;

/// `W` is how a waiting call hears that it is served.
pub(super) struct Queue<W> {
    capacity: usize,
    lent: usize,
    /// Counts changes: turns, and the names of those who wait.
    clock: u64,
    /// Of those who have or wait for one now.
    accounts: FxHashMap<Share, Account<W>>,
    /// Those who wait and may have another: first who has the fewest, then whose turn is longest ago.
    ready: BTreeMap<(usize, u64), Share>,
}

struct Account<W> {
    held: usize,
    /// How many it may hold.
    allowed: usize,
    /// When it last began to wait, got a connection or gave one back. No two accounts have the same.
    turn: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, W>,
}

impl<W> Account<W> {
    fn is_ready(&self) -> bool {
        !self.waiting.is_empty() && self.held < self.allowed
    }
}

impl<W> Queue<W> {
    pub(super) fn new(capacity: usize) -> Queue<W> {
        Queue { capacity, lent: 0, clock: 0, accounts: FxHashMap::default(), ready: BTreeMap::new() }
    }

    /// Takes a free connection, if the share may have one more and none of its calls waits already.
    pub(super) fn take(&mut self, share: Share, allowed: usize) -> bool {
        let free = self.lent < self.capacity;
        let taken = self.change(share, |account, now| {
            account.allowed = allowed;
            let taken = free && account.held < allowed && account.waiting.is_empty();
            if taken {
                (account.held, account.turn) = (account.held + 1, now);
            }
            taken
        });
        self.lent += usize::from(taken);
        taken
    }

    /// Joins the queue of the share; the number is for [`leave`](Self::leave).
    pub(super) fn wait(&mut self, share: Share, allowed: usize, waiter: W) -> u64 {
        self.change(share, |account, now| {
            account.allowed = allowed;
            if account.waiting.is_empty() && account.held == 0 {
                account.turn = now;
            }
            account.waiting.insert(now, waiter);
            now
        })
    }

    /// Leaves the queue. False where it was served meanwhile.
    pub(super) fn leave(&mut self, share: Share, number: u64) -> bool {
        self.change(share, |account, _| account.waiting.remove(&number).is_some())
    }

    /// Says how many connections a share may have from now on.
    pub(super) fn allow(&mut self, share: Share, allowed: usize) {
        self.change(share, |account, _| account.allowed = allowed);
    }

    /// Lends what is free to those who wait. Returns whom the caller has to tell.
    #[must_use]
    pub(super) fn serve(&mut self) -> Vec<W> {
        let mut served = Vec::new();
        while self.lent < self.capacity
            && let Some((_, &share)) = self.ready.first_key_value()
        {
            let first = self.change(share, |account, now| {
                (account.held, account.turn) = (account.held + 1, now);
                account.waiting.pop_first()
            });
            self.lent += 1;
            served.extend(first.map(|(_, waiter)| waiter));
        }
        served
    }

    /// A connection is free for others, though its share is still charged for the one it had.
    pub(super) fn free(&mut self) {
        self.lent -= 1;
    }

    /// The share has one connection less.
    pub(super) fn give_back(&mut self, share: Share) {
        self.change(share, |account, now| (account.held, account.turn) = (account.held - 1, now));
    }

    /// One that was held under one name is held under another, whatever that one may have.
    pub(super) fn rename(&mut self, from: Share, to: Share, allowed: usize) {
        self.give_back(from);
        self.change(to, |account, now| {
            account.allowed = allowed;
            (account.held, account.turn) = (account.held + 1, now);
        });
    }

    /// Lends nothing more. Those who wait stay in the queue until they leave it; the caller has to tell them.
    pub(super) fn close(&mut self) -> Vec<W>
    where
        W: Default,
    {
        self.capacity = 0;
        self.accounts.values_mut().flat_map(|account| account.waiting.values_mut()).map(std::mem::take).collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.capacity == 0
    }

    /// Nobody has a connection, or keeps a server busy.
    pub(super) fn is_idle(&self) -> bool {
        self.lent == 0 && self.accounts.values().all(|account| account.held == 0)
    }

    pub(super) fn held(&self, share: Share) -> usize {
        self.accounts.get(&share).map_or(0, |account| account.held)
    }

    pub(super) fn waiting(&self, share: Share) -> usize {
        self.accounts.get(&share).map_or(0, |account| account.waiting.len())
    }

    pub(super) fn all_waiting(&self) -> usize {
        self.accounts.values().map(|account| account.waiting.len()).sum()
    }

    pub(super) fn shares(&self) -> Vec<Share> {
        self.accounts.keys().copied().collect()
    }

    #[cfg(test)]
    pub(super) fn lent(&self) -> usize {
        self.lent
    }

    /// Keeps `ready` in step with the account, and forgets an account that says nothing.
    fn change<T>(&mut self, share: Share, change: impl FnOnce(&mut Account<W>, u64) -> T) -> T {
        self.clock += 1;
        let now = self.clock;
        let account = self.accounts.entry(share).or_insert_with(|| Account {
            held: 0,
            allowed: usize::MAX,
            turn: now,
            waiting: BTreeMap::new(),
        });
        if account.is_ready() {
            self.ready.remove(&(account.held, account.turn));
        }
        let result = change(account, now);
        if account.is_ready() {
            self.ready.insert((account.held, account.turn), share);
        } else if account.held == 0 && account.waiting.is_empty() {
            self.accounts.remove(&share);
        }
        result
    }
}
