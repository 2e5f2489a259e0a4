//! PostgreSQL's lists. The accessors are inline functions in its headers, so the bindings lack them.

use pgrx::pg_sys::{List, Node, Oid};

/// The nodes of a list; a null list has none.
///
/// # Safety
/// `list` is null or a valid list of nodes that stays as it is while the iterator is used.
pub unsafe fn nodes(list: *const List) -> impl Iterator<Item = *mut Node> {
    // SAFETY: within the list's length.
    (0..length(list)).map(move |at| unsafe { (*(*list).elements.add(at)).ptr_value.cast() })
}

/// The node at this place, counted from 0, if the list is so long.
///
/// # Safety
/// As [`nodes`].
pub unsafe fn node(list: *const List, at: usize) -> Option<*mut Node> {
    // SAFETY: within the list's length.
    (at < length(list)).then(|| unsafe { (*(*list).elements.add(at)).ptr_value.cast() })
}

/// The oids of an oid list.
///
/// # Safety
/// As [`nodes`], for a list of oids.
pub unsafe fn oids(list: *const List) -> impl Iterator<Item = Oid> {
    // SAFETY: within the list's length.
    (0..length(list)).map(move |at| unsafe { (*(*list).elements.add(at)).oid_value })
}

/// The numbers of a list of integers.
///
/// # Safety
/// As [`nodes`], for a list of integers.
pub unsafe fn integers(list: *const List) -> impl Iterator<Item = i32> {
    // SAFETY: within the list's length.
    (0..length(list)).map(move |at| unsafe { (*(*list).elements.add(at)).int_value })
}

/// The number of cells.
pub fn length(list: *const List) -> usize {
    // SAFETY: a list that is not null has a length.
    if list.is_null() { 0 } else { unsafe { (*list).length as usize } }
}
