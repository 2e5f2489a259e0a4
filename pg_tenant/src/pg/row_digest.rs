//! One number for what stands in a row: equal for equal rows, on a standby and after a restart as well.

use pgrx::pg_sys;
use std::hash::{DefaultHasher, Hasher};
use std::mem::offset_of;

/// The number of this row: of its columns as they are stored, and of which are null.
///
/// # Safety
/// A tuple of a heap.
pub unsafe fn of(tuple: pg_sys::HeapTuple) -> u64 {
    // SAFETY: the caller's promise. Behind the header's fields stand which columns are null, padding that is zero, and
    // the columns, up to the tuple's length; a value out of line is its pointer, which is another for another value.
    unsafe {
        let start = offset_of!(pg_sys::HeapTupleHeaderData, t_bits);
        let length = ((*tuple).t_len as usize).saturating_sub(start);
        let columns = std::slice::from_raw_parts((*tuple).t_data.cast::<u8>().add(start), length);
        let mut hasher = DefaultHasher::new();
        hasher.write_u8((*(*tuple).t_data).t_hoff);
        hasher.write(columns);
        hasher.finish()
    }
}

/// One number of several.
pub fn together(numbers: [u64; 3]) -> u64 {
    let mut hasher = DefaultHasher::new();
    numbers.into_iter().for_each(|number| hasher.write_u64(number));
    hasher.finish()
}
