//! A static of the backend's one thread.

use std::cell::UnsafeCell;

/// A value that only the thread of the process reaches, without a thread-local's look-up: what hooks ask for every row.
///
/// PostgreSQL runs in one thread, and so does what it calls. No reference to the value leaves: it is copied in and out,
/// so that a hook may write it while another one that has read it is still on the stack.
pub struct BackendCell<T>(UnsafeCell<T>);

// SAFETY: a process of PostgreSQL's has one thread that runs our code; pgrx, too, refuses to run in another.
unsafe impl<T> Sync for BackendCell<T> {}

impl<T: Copy> BackendCell<T> {
    pub const fn new(value: T) -> Self {
        BackendCell(UnsafeCell::new(value))
    }

    #[inline]
    pub fn get(&self) -> T {
        // SAFETY: one thread, and no reference to the value: nothing writes it while it is copied.
        unsafe { *self.0.get() }
    }

    #[inline]
    pub fn set(&self, value: T) {
        // SAFETY: as in get.
        unsafe { *self.0.get() = value }
    }

    /// Where the value is, for PostgreSQL to write.
    pub const fn as_ptr(&self) -> *mut T {
        self.0.get()
    }
}
