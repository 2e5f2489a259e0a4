//! What each session has entered at this moment, in shared memory, for whoever looks at all of them.
//!
//! Each session writes its own place and nobody else's. It makes the version odd, writes, and makes it even: who reads
//! and finds it odd, or another one afterwards, reads again.

use crate::pg::backend_cell::BackendCell;
use crate::pg::shared_memory::{SharedSlice, Zeroed};
use pgrx::pg_sys;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// The longest tenant id and the longest actor that are shown, in bytes.
pub const LONGEST: usize = 64;
const WORDS: usize = LONGEST / 8;
/// How often somebody reads again before it lets go.
const TRIES: usize = 100;

/// What a session has entered.
pub const NOTHING: u32 = 0;
pub const TENANT: u32 = 1;
pub const SYSTEM: u32 = 2;

/// A text in words of eight bytes; what is left of the last one is zeros.
type Text = [AtomicU64; WORDS];

/// What a session has entered.
pub struct Place {
    version: AtomicU32,
    pid: AtomicU32,
    context: AtomicU32,
    tenant: Text,
    actor: Text,
}

/// What is read of it.
pub struct Seen {
    pub pid: u32,
    pub context: u32,
    pub tenant: String,
    pub actor: String,
}

static PLACES: SharedSlice<Place> = SharedSlice::new(c"pg_tenant activity");
/// Whether this session shows anything at this moment.
static SHOWN: BackendCell<bool> = BackendCell::new(false);

// SAFETY: atomics only; zeros are nobody.
unsafe impl Zeroed for Place {}

/// Asks for the memory. Called from `_PG_init` only.
pub fn init() {
    PLACES.ask_for(|| {
        // SAFETY: known when shared memory is asked for.
        usize::try_from(unsafe { pg_sys::MaxBackends }).unwrap_or(0)
    });
}

/// The number of this process among those of sessions. Those that have none, or one of PostgreSQL's own beyond those of
/// sessions, have no place where there is one for each.
pub fn number() -> Option<usize> {
    // SAFETY: a plain read of a variable of this backend.
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    let number = unsafe { pg_sys::MyBackendId - 1 };
    // SAFETY: likewise.
    #[cfg(not(any(feature = "pg15", feature = "pg16")))]
    let number = unsafe { pg_sys::MyProcNumber };
    usize::try_from(number).ok()
}

fn own() -> Option<&'static Place> {
    PLACES.get().get(number()?)
}

/// This session has entered this. Cannot fail.
pub fn enter(context: u32, tenant: &str) {
    if context == NOTHING && !SHOWN.get() {
        return;
    }
    change(|place| {
        // SAFETY: a plain read of a variable of this backend.
        place.pid.store(u32::try_from(unsafe { pg_sys::MyProcPid }).unwrap_or(0), Ordering::Relaxed);
        place.context.store(context, Ordering::Relaxed);
        write(&place.tenant, tenant.as_bytes());
        write(&place.actor, b"");
    });
    SHOWN.set(context != NOTHING);
}

/// Who acts in it. Cannot fail.
pub fn act(actor: &[u8]) {
    if SHOWN.get() {
        change(|place| write(&place.actor, actor));
    }
}

fn change(change: impl FnOnce(&Place)) {
    let Some(place) = own() else { return };
    let version = place.version.load(Ordering::Relaxed);
    place.version.store(version.wrapping_add(1), Ordering::Relaxed);
    fence(Ordering::Release);
    change(place);
    place.version.store(version.wrapping_add(2), Ordering::Release);
}

fn write(place: &Text, text: &[u8]) {
    let mut bytes = [0; LONGEST];
    let len = text.len().min(LONGEST);
    bytes[..len].copy_from_slice(&text[..len]);
    for (word, bytes) in place.iter().zip(bytes.as_chunks().0) {
        word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
    }
}

fn read(place: &Text) -> String {
    let bytes: Vec<u8> = place.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Every session that has entered something.
pub fn all() -> Vec<Seen> {
    PLACES.get().iter().filter_map(see).collect()
}

fn see(place: &Place) -> Option<Seen> {
    for _ in 0..TRIES {
        let version = place.version.load(Ordering::Acquire);
        let context = place.context.load(Ordering::Relaxed);
        if context == NOTHING {
            return None;
        }
        let pid = place.pid.load(Ordering::Relaxed);
        let seen = Seen { pid, context, tenant: read(&place.tenant), actor: read(&place.actor) };
        fence(Ordering::Acquire);
        if version.is_multiple_of(2) && version == place.version.load(Ordering::Relaxed) {
            return Some(seen);
        }
        std::hint::spin_loop();
    }
    None
}
