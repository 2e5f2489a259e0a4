//! Which column a value belongs to.

/// A column of sealed values, which are bound to it: they open under the same names alone, whatever the table is called
/// by then. Give a renamed one its old name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
}

impl Column {
    /// By its table and its name, as SQL writes them.
    pub const fn new(table: &'static str, column: &'static str) -> Column {
        Column { table, column }
    }

    /// With what stands before it, each part with its length: no two columns give the same bytes.
    pub(super) fn bound(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts.iter().chain(&[self.table.as_bytes(), self.column.as_bytes()]) {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(*part);
        }
        bytes
    }
}
