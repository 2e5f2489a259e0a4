//! Rows for a bulk write.

use tokio_postgres::types::{BorrowToSql, ToSql};

/// A row for [`insert_many`](crate::TenantTx::insert_many): a tuple of up to twelve values, an array, a slice, a `Vec`,
/// or a type of the application.
pub trait BulkRow {
    /// The number of values.
    fn width(&self) -> usize;

    /// The value at this position, from 0; `None` beyond the last.
    fn value(&self, column: usize) -> Option<&dyn ToSql>;
}

impl<T: BorrowToSql> BulkRow for [T] {
    fn width(&self) -> usize {
        self.len()
    }

    fn value(&self, column: usize) -> Option<&dyn ToSql> {
        self.get(column).map(BorrowToSql::borrow_to_sql)
    }
}

impl<T: BorrowToSql, const N: usize> BulkRow for [T; N] {
    fn width(&self) -> usize {
        N
    }

    fn value(&self, column: usize) -> Option<&dyn ToSql> {
        self.as_slice().value(column)
    }
}

impl<T: BorrowToSql> BulkRow for Vec<T> {
    fn width(&self) -> usize {
        self.len()
    }

    fn value(&self, column: usize) -> Option<&dyn ToSql> {
        self.as_slice().value(column)
    }
}

impl<R: BulkRow + ?Sized> BulkRow for &R {
    fn width(&self) -> usize {
        (**self).width()
    }

    fn value(&self, column: usize) -> Option<&dyn ToSql> {
        (**self).value(column)
    }
}

macro_rules! tuples {
    ($(($($at:tt $value:ident)+))+) => {$(
        impl<$($value: ToSql),+> BulkRow for ($($value,)+) {
            fn width(&self) -> usize {
                [$($at),+].len()
            }

            fn value(&self, column: usize) -> Option<&dyn ToSql> {
                match column {
                    $($at => Some(&self.$at),)+
                    _ => None,
                }
            }
        }
    )+};
}

tuples! {
    (0 A)
    (0 A 1 B)
    (0 A 1 B 2 C)
    (0 A 1 B 2 C 3 D)
    (0 A 1 B 2 C 3 D 4 E)
    (0 A 1 B 2 C 3 D 4 E 5 F)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K)
    (0 A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L)
}
