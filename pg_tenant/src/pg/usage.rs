//! What this backend has used so far, as PostgreSQL counts it anyway, and clocks.
//!
//! Here a clock takes 40 ns, the processor's 500, and a coarse one, which moves every few milliseconds, 3.

use pgrx::pg_sys;
use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// Numbers that only grow.
#[derive(Clone, Copy)]
pub struct Usage {
    pub shared_hit: i64,
    pub shared_read: i64,
    pub local: i64,
    pub temp: i64,
    pub wal_bytes: u64,
}

impl Usage {
    pub const NONE: Usage = Usage { shared_hit: 0, shared_read: 0, local: 0, temp: 0, wal_bytes: 0 };
}

/// What was used until now. What parallel workers have used is in the leader's numbers when their query is over.
pub fn now() -> Usage {
    // SAFETY: plain reads of variables of this backend.
    let (buffers, wal_bytes) = unsafe { (pg_sys::pgBufferUsage, pg_sys::pgWalUsage.wal_bytes) };
    Usage {
        shared_hit: buffers.shared_blks_hit,
        shared_read: buffers.shared_blks_read,
        local: buffers.local_blks_hit + buffers.local_blks_read,
        temp: buffers.temp_blks_read + buffers.temp_blks_written,
        wal_bytes,
    }
}

/// Microseconds of the processor's time that this process has taken.
pub fn processor() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    (time.tv_sec as u64) * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// Seconds since 1970, and a number that changes every few milliseconds.
pub fn coarse() -> (u32, u32) {
    let time = clock_gettime(ClockId::RealtimeCoarse);
    (u32::try_from(time.tv_sec).unwrap_or(u32::MAX), (time.tv_nsec as u32) ^ (time.tv_sec as u32))
}

/// Whether this process serves a client, and not PostgreSQL itself.
pub fn is_client_backend() -> bool {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND }
}

/// This database's number; 0 outside of any.
pub fn database() -> u32 {
    // SAFETY: a plain read of a variable of this backend.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}

/// The outermost of what runs at this moment: planning, a query, a command.
///
/// An error leaves by longjmp, and no frame of ours hears of it. A frame that was left stands no deeper than whoever
/// looks: the stack grows downwards on every machine that PostgreSQL supports.
#[derive(Clone, Copy)]
pub struct Outermost {
    frame: usize,
    since: Instant,
}

impl Outermost {
    /// Whether the frame in which `here` stands is within this one.
    #[inline]
    pub fn holds(&self, here: &u8) -> bool {
        (&raw const *here).addr() < self.frame
    }

    pub fn begins(here: &u8) -> Outermost {
        Outermost { frame: (&raw const *here).addr(), since: Instant::now() }
    }

    /// Microseconds until `now`.
    pub fn elapsed(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.since).as_micros()).unwrap_or(u64::MAX)
    }
}
