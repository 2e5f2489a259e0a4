//! SQL functions that are called for each row: no argument is converted, nothing is allocated for a row, and no frame
//! holds anything to drop, so that an error of PostgreSQL's may cross it.

use crate::pg::report::{Outcome, Report};
use crate::pg::{boundary, folding, raw, text};
use pgrx::pg_sys::{self, Datum, FunctionCallInfo};

/// A running call.
#[derive(Clone, Copy)]
pub struct Call(FunctionCallInfo);

/// A value of the type that the SQL declaration says.
#[derive(Clone, Copy)]
pub struct Value(Datum);

#[cfg(target_endian = "big")]
compile_error!("the header of TextDatum is that of little-endian machines");

/// A `text` with room for a text of `N` bytes: PostgreSQL's four-byte header, then the bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub struct TextDatum<const N: usize> {
    header: u32,
    bytes: [u8; N],
}

impl<const N: usize> TextDatum<N> {
    pub const EMPTY: Self = TextDatum { header: 0, bytes: [0; N] };

    /// The text, of which there are at most `N` bytes.
    pub fn new(text: &[u8]) -> Self {
        let mut datum = TextDatum { header: ((text.len() as u32) + 4) << 2, ..Self::EMPTY };
        datum.bytes[..text.len()].copy_from_slice(text);
        datum
    }

    /// Its bytes; of [`TextDatum::EMPTY`] none.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..((self.header >> 2) as usize).saturating_sub(4)).unwrap_or_default()
    }
}

/// A value of ours, copied for one expression.
struct Copied<T> {
    written: u64,
    value: T,
}

impl Call {
    /// The first argument; none where it is null. Each function that asks has one.
    #[inline]
    pub fn argument(self) -> Option<Value> {
        // SAFETY: fcinfo is valid during the call, and has as many arguments as the SQL declaration names.
        let argument = unsafe { *(*self.0).args.as_ptr() };
        (!argument.isnull).then_some(Value(argument.value))
    }

    /// The copy of a value that the calling expression has, made anew where the value has been written since: `written`
    /// changes with the value. No pointer to the value itself is handed out, since an argument of CALL outlives the
    /// transaction in which it was evaluated.
    #[inline]
    pub fn copy<T: Copy>(self, written: u64, value: impl FnOnce() -> T) -> Datum {
        // SAFETY: flinfo, where there is one, is valid during the call, and its fn_extra is ours. The allocation may
        // raise: nothing is to drop. An older copy stays where it is, for whoever holds a pointer to it.
        unsafe {
            let info = (*self.0).flinfo;
            let mut copy = if info.is_null() { std::ptr::null_mut() } else { (*info).fn_extra.cast::<Copied<T>>() };
            if copy.is_null() || (*copy).written != written {
                let context = if info.is_null() { pg_sys::CurrentMemoryContext } else { (*info).fn_mcxt };
                copy = raw::MemoryContextAlloc(context, size_of::<Copied<T>>()).cast();
                copy.write(Copied { written, value: value() });
                if !info.is_null() {
                    (*info).fn_extra = copy.cast();
                }
            }
            Datum::from((&raw const (*copy).value).cast::<std::ffi::c_void>())
        }
    }
}

/// The longest name that is looked up once for an expression, in bytes.
const LONGEST_NAME: usize = 63;

/// What was found for a name, kept for one expression.
#[derive(Clone, Copy)]
struct Found {
    epoch: u64,
    len: usize,
    name: [u8; LONGEST_NAME],
    found: Option<i32>,
}

impl Call {
    /// What `find` says of the name that is the first argument: asked once for an expression, and again where the name
    /// is another or `epoch` has changed. `find` is told whether the name is a constant or a parameter, and so no value
    /// of a row: only then may it refuse a name.
    #[inline]
    pub fn find(self, epoch: fn() -> u64, find: fn(&str, bool) -> Outcome<Option<i32>>) -> Option<i32> {
        // SAFETY: as in copy; the name is a text, whose bytes are not kept. A bare call: fetching a long one may raise,
        // and nothing is to drop.
        unsafe {
            let name = text::bytes_of(self.argument()?.0);
            let info = (*self.0).flinfo;
            let mut known = if info.is_null() { std::ptr::null_mut() } else { (*info).fn_extra.cast::<Found>() };
            if !known.is_null() && (*known).epoch == epoch() && (&(*known).name)[..(*known).len] == *name {
                return (*known).found;
            }
            let (epoch, found) = boundary::decide_or_raise(|| {
                let epoch = epoch();
                let fixed = !info.is_null() && pg_sys::get_fn_expr_arg_stable(info, 0);
                find(&String::from_utf8_lossy(name), fixed).map(|found| (epoch, found))
            });
            if name.len() <= LONGEST_NAME && !info.is_null() {
                if known.is_null() {
                    known = raw::MemoryContextAlloc((*info).fn_mcxt, size_of::<Found>()).cast();
                }
                let mut bytes = [0; LONGEST_NAME];
                bytes[..name.len()].copy_from_slice(name);
                known.write(Found { epoch, len: name.len(), name: bytes, found });
                (*info).fn_extra = known.cast();
            }
            found
        }
    }

    /// Raises a refusal that speaks of the first argument.
    pub fn refuse(self, report: fn(&str) -> Report) -> ! {
        // SAFETY: as in find; a row function's frames hold nothing to drop.
        unsafe {
            let name = self.argument().map_or(&[][..], |name| text::bytes_of(name.0));
            boundary::raise(boundary::decide(|| report(&String::from_utf8_lossy(name))))
        }
    }
}

impl Value {
    #[inline]
    pub fn uuid(self) -> [u8; 16] {
        // SAFETY: a uuid is a pointer to 16 bytes.
        unsafe { *self.0.cast_mut_ptr() }
    }

    #[inline]
    pub fn bigint(self) -> i64 {
        self.0.value() as i64
    }

    #[inline]
    pub fn integer(self) -> i32 {
        self.0.value() as i32
    }

    #[inline]
    pub fn smallint(self) -> i16 {
        self.0.value() as i16
    }

    #[inline]
    pub fn boolean(self) -> bool {
        self.0.value() != 0
    }

    /// Whether a `text` has these bytes.
    #[inline]
    pub fn is_text(self, bytes: &[u8]) -> bool {
        // SAFETY: a text, which is not kept. Bare: fetching a long one may raise, and nothing is to drop.
        unsafe { text::bytes_of(self.0) == bytes }
    }
}

/// A closure as the body of such a function.
pub fn body<F: FnOnce(Call) -> Option<Datum>>(body: F) -> F {
    body
}

/// Runs the body of such a function; none is null.
///
/// # Safety
/// Called by PostgreSQL's function manager with its own `fcinfo`.
#[inline]
pub unsafe fn call(fcinfo: FunctionCallInfo, body: impl FnOnce(Call) -> Option<Datum>) -> Datum {
    folding::touch();
    body(Call(fcinfo)).unwrap_or_else(|| {
        // SAFETY: fcinfo is valid during the call.
        unsafe { (*fcinfo).isnull = true };
        Datum::null()
    })
}

/// Exports `$symbol` as a SQL function that is called for each row, with the body `$body`.
#[macro_export]
macro_rules! row_function {
    ($symbol:ident, $finfo:ident, $body:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            &$crate::pg::function::VERSION_1
        }

        /// # Safety
        /// Called by PostgreSQL's function manager.
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            let body = $crate::pg::row_function::body($body);
            // SAFETY: fcinfo comes from the function manager.
            unsafe { $crate::pg::row_function::call(fcinfo, body) }
        }
    };
}
