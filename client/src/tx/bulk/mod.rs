//! Writing many rows.

mod chunks;
mod columns;
pub(crate) mod insert;
