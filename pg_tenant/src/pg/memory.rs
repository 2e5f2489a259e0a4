//! Where Rust's memory comes from: malloc, and a reserve for when that has none.
//!
//! A Rust allocation that fails aborts the process, and PostgreSQL then restarts every session of the server. So the
//! last few allocations come from a reserve; what was being decided is decided, and then this session ends with a FATAL
//! error ([`crate::pg::boundary::decide`]), and no other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Address space only, until it is needed: more than the largest cache takes to grow.
const SIZE: usize = 16 << 20;

struct Reserve(UnsafeCell<[u8; SIZE]>);

// SAFETY: a range is handed out once, by the atomic below, and never again.
unsafe impl Sync for Reserve {}

static RESERVE: Reserve = Reserve(UnsafeCell::new([0; SIZE]));
static USED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: WithReserve = WithReserve;

struct WithReserve;

/// Makes what the runtime would otherwise make at first need, and abort where it cannot: in the postmaster, so that
/// every session has it. A value of a thread that is to be dropped is entered in a list of the C library's when it is
/// first used; ours are used by their modules' `init`, and here pgrx's, which a panic fills.
pub fn init() {
    let panicked = std::panic::catch_unwind(|| std::panic::panic_any(()));
    debug_assert!(panicked.is_err());
}

/// Whether malloc has refused: the session is to end.
pub fn is_short() -> bool {
    USED.load(Relaxed) > 0
}

fn start() -> *mut u8 {
    RESERVE.0.get().cast()
}

fn is_reserved(pointer: *mut u8) -> bool {
    (start().addr()..start().addr() + SIZE).contains(&pointer.addr())
}

/// A range of the reserve, zeroed; null where it is used up.
fn take(layout: Layout) -> *mut u8 {
    let (size, align) = (layout.size(), layout.align());
    let end_of = |used: usize| (start().addr() + used).next_multiple_of(align) - start().addr() + size.max(1);
    let taken = USED.fetch_update(Relaxed, Relaxed, |used| Some(end_of(used)).filter(|&end| end <= SIZE));
    match taken {
        // SAFETY: the range lies within the reserve.
        Ok(used) => unsafe { start().add(end_of(used) - size.max(1)) },
        Err(_) => std::ptr::null_mut(),
    }
}

// SAFETY: what malloc gave goes back to it; what the reserve gave stays, and nobody else gets it. Nothing unwinds.
unsafe impl GlobalAlloc for WithReserve {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let pointer = unsafe { System.alloc(layout) };
        if pointer.is_null() { take(layout) } else { pointer }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise. The reserve is zeroed, as each range is used once.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if pointer.is_null() { take(layout) } else { pointer }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !is_reserved(pointer) {
            // SAFETY: the caller's promise; it is not of the reserve.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise. A range that moves is copied as far as both reach, and what malloc gave is
        // freed.
        unsafe {
            if !is_reserved(pointer) {
                let moved = System.realloc(pointer, layout, size);
                if !moved.is_null() {
                    return moved;
                }
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}
