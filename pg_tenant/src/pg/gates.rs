//! The memory of what tenants take of their limits at this moment, and who waits to be let in.

use crate::pg::backend_cell::BackendCell;
use crate::pg::shared_memory::{Shared, SharedSlice, Zeroed};
use pg_tenant_core::gates::Gates;
use pgrx::pg_sys;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};

/// What there is one of.
pub struct Doors {
    /// How many transactions of tenants run.
    pub active: AtomicU32,
    pub gates: Gates,
}

/// Somebody who waits.
pub struct Waiting {
    /// Its gate and its weight, in one word, so that nobody reads half of it; 0 is nobody.
    who: AtomicU64,
    /// By which it is woken: its latch, which stands in shared memory, at one address for all, as long as the server
    /// runs. Who sets it late wakes somebody else, who looks and sleeps on.
    latch: AtomicPtr<pg_sys::Latch>,
}

static DOORS: Shared<Doors> = Shared::new(c"pg_tenant gates");
static WAITING: SharedSlice<Waiting> = SharedSlice::new(c"pg_tenant waiting");
/// Whether this session stands among those who wait.
static STANDS: BackendCell<bool> = BackendCell::new(false);

// SAFETY: atomics only; zeros are gates that nobody has.
unsafe impl Zeroed for Doors {}
// SAFETY: likewise.
unsafe impl Zeroed for Waiting {}

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    DOORS.ask();
    WAITING.ask_for(|| {
        // SAFETY: known when shared memory is asked for.
        usize::try_from(unsafe { pg_sys::MaxBackends }).unwrap_or(0)
    });
}

/// The gates; none where the library was not preloaded.
pub fn doors() -> Option<&'static Doors> {
    DOORS.get()
}

/// Nanoseconds of a clock that only goes on, and that all sessions share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}

/// This session waits to be let in by this gate.
pub fn wait(gate: usize, weight: u32) {
    stand((gate as u64 + 1) << 32 | u64::from(weight));
    STANDS.set(true);
}

/// It does not any more. Cannot fail.
pub fn wait_no_more() {
    if STANDS.get() {
        stand(0);
        STANDS.set(false);
    }
}

fn stand(word: u64) {
    if let Some(place) = super::activity::number().and_then(|number| WAITING.get().get(number)) {
        // SAFETY: a plain read of a variable of this backend.
        place.latch.store(unsafe { pg_sys::MyLatch }, Relaxed);
        place.who.store(word, Release);
    }
}

impl Waiting {
    /// Its gate and its weight, if somebody waits here.
    fn who(&self) -> Option<(usize, u32)> {
        let word = self.who.load(Acquire);
        (word != 0).then(|| ((word >> 32) as usize - 1, word as u32))
    }
}

/// Each that waits: its gate and its weight.
pub fn waiting() -> impl Iterator<Item = (usize, u32)> {
    WAITING.get().iter().filter_map(Waiting::who)
}

/// Wakes the one of those who wait whose share is the least. Cannot fail.
pub fn wake(share: impl Fn(usize, u32) -> f64) {
    let waiting =
        WAITING.get().iter().filter_map(|place| place.who().map(|(gate, weight)| (share(gate, weight), place)));
    let Some((_, next)) = waiting.min_by(|one, other| one.0.total_cmp(&other.0)) else { return };
    let latch = next.latch.load(Relaxed);
    if !latch.is_null() {
        // SAFETY: a latch of PostgreSQL's in shared memory; setting it neither waits nor raises.
        unsafe { pg_sys::SetLatch(latch) }
    }
}

/// Sleeps for so many milliseconds, or less where somebody wakes this session. Raises what a cancelled statement, or an
/// ended session, raises.
pub fn sleep(milliseconds: i64) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: this backend's own latch. Both may raise PostgreSQL's own errors.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, milliseconds, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(pg_sys::MyLatch);
        pgrx::check_for_interrupts!();
    }
}
