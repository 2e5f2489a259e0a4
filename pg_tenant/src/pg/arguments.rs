//! The arguments of our SQL functions, as PostgreSQL passes them.

use pg_tenant_token::Zeroizing;
use pgrx::pg_sys;

/// How many bytes of a text are read, so that a caller cannot make us copy a gigabyte in order to refuse it.
pub const LONGEST: i32 = 65_536;

/// The arguments of a call, read by position. A strict function has no null argument.
#[derive(Clone, Copy)]
pub struct Args(pg_sys::FunctionCallInfo);

impl Args {
    /// The arguments of this call.
    ///
    /// # Safety
    /// `fcinfo` is valid while the arguments are read.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Args {
        Args(fcinfo)
    }

    /// Whether the argument is null, in a function that is not strict, or not there.
    fn is_null(self, at: usize) -> bool {
        // SAFETY: as for a datum.
        unsafe { (*self.0).args.as_slice((*self.0).nargs as usize).get(at).is_none_or(|argument| argument.isnull) }
    }

    /// A `text` argument that may be null.
    pub fn text_opt(self, at: usize) -> Option<String> {
        (!self.is_null(at)).then(|| self.text(at))
    }

    /// A `uuid` argument that may be null.
    pub fn uuid_opt(self, at: usize) -> Option<[u8; 16]> {
        // SAFETY: the SQL declaration says uuid: sixteen bytes, passed by reference.
        (!self.is_null(at)).then(|| unsafe { *self.datum(at).cast_mut_ptr::<[u8; 16]>() })
    }

    /// A `boolean` argument; null is false, and so is one that the function does not have.
    pub fn boolean(self, at: usize) -> bool {
        !self.is_null(at) && self.datum(at).value() != 0
    }

    fn datum(self, at: usize) -> pg_sys::Datum {
        // SAFETY: PostgreSQL passes as many arguments as the SQL declaration names; each caller asks only for those.
        unsafe { (*self.0).args.as_slice((*self.0).nargs as usize)[at].value }
    }

    /// A `text` argument; of one that is longer than [`LONGEST`], the beginning, which is no id and no token either.
    pub fn text(self, at: usize) -> String {
        // SAFETY: the SQL declaration says text, so the datum is a varlena; the slice is detoasted, text_to_cstring
        // copies.
        unsafe {
            let slice = pg_sys::pg_detoast_datum_slice(self.datum(at).cast_mut_ptr(), 0, LONGEST);
            let copy = pg_sys::text_to_cstring(slice.cast());
            let text = super::text::owned(copy);
            pg_sys::pfree(copy.cast());
            text
        }
    }

    /// A `text` argument that is ours, however long.
    pub fn whole_text(self, at: usize) -> String {
        // SAFETY: as for text.
        unsafe { super::text::owned(pg_sys::text_to_cstring(self.datum(at).cast_mut_ptr())) }
    }

    /// A `text` argument that is a secret, and may be null.
    pub fn secret_opt(self, at: usize) -> Option<Zeroizing<String>> {
        self.text_opt(at).map(Zeroizing::new)
    }

    /// The table whose trigger is being called, if this is a trigger's call.
    pub fn trigger_table(self) -> Option<pg_sys::Oid> {
        // SAFETY: the cast follows the check of the context's tag.
        unsafe {
            let context = (*self.0).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            Some((*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id)
        }
    }

    /// A `bigint` argument.
    pub fn bigint(self, at: usize) -> i64 {
        self.datum(at).value() as i64
    }

    /// The values of a text column, never null, in the rows that a row trigger is called for: the old and the new one.
    pub fn trigger_texts(self, column: pg_sys::AttrNumber) -> Vec<String> {
        // SAFETY: as above; the tuples are of the trigger's table, or null.
        unsafe {
            let context = (*self.0).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return Vec::new();
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            let rows = [data.tg_trigtuple, data.tg_newtuple].into_iter().filter(|tuple| !tuple.is_null());
            rows.map(|tuple| {
                let mut isnull = false;
                let datum = pg_sys::heap_getattr(tuple, column.into(), (*data.tg_relation).rd_att, &mut isnull);
                super::text::owned(pg_sys::text_to_cstring(datum.cast_mut_ptr()))
            })
            .collect()
        }
    }

    /// A `smallint` argument.
    pub fn smallint(self, at: usize) -> i16 {
        self.datum(at).value() as i16
    }

    /// A `text` argument as it was passed.
    pub fn text_datum(self, at: usize) -> pg_sys::Datum {
        self.datum(at)
    }

    /// An `oid` or `regclass` argument.
    pub fn oid(self, at: usize) -> pg_sys::Oid {
        pg_sys::Oid::from(self.datum(at).value() as u32)
    }
}
