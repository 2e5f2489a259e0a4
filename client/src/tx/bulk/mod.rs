//! Writing many rows.

mod chunks;
mod columns;
mod insert;
pub(crate) mod row;
mod value;
mod values;
