//! PostgreSQL functions that we declare ourselves.
//!
//! pgrx wraps every call in a boundary that rebuilds errors: a SQLSTATE that its enum does not know becomes XX000, and
//! CONTEXT, constraint and table names are lost. What can raise a user's error must therefore be called bare, outside
//! any guard, with nothing to drop in the frame. The functions that cannot raise are here too where they are hot.

use pgrx::pg_sys;
use std::ffi::{c_char, c_int};

/// What PostgreSQL calls when a client is authenticated, or is not.
pub type ClientAuthenticationHook = Option<unsafe extern "C-unwind" fn(*mut pg_sys::Port, c_int)>;
/// What a walker calls for every node; true ends the walk.
pub type Walker = Option<unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut std::ffi::c_void) -> bool>;

unsafe extern "C-unwind" {
    pub fn errstart(elevel: c_int, domain: *const c_char) -> bool;
    pub fn errcode(sqlerrcode: c_int) -> c_int;
    pub fn errmsg_internal(fmt: *const c_char, ...) -> c_int;
    pub fn errdetail_internal(fmt: *const c_char, ...) -> c_int;
    pub fn errhint(fmt: *const c_char, ...) -> c_int;
    pub fn errhidestmt(hide: bool) -> c_int;
    pub fn errhidecontext(hide: bool) -> c_int;
    pub fn errfinish(filename: *const c_char, lineno: c_int, funcname: *const c_char);

    pub fn standard_ProcessUtility(
        pstmt: *mut pg_sys::PlannedStmt,
        query_string: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        query_env: *mut pg_sys::QueryEnvironment,
        dest: *mut pg_sys::DestReceiver,
        qc: *mut pg_sys::QueryCompletion,
    );
    pub fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
    // Bare, since readers and fences call them where an expression is evaluated.
    pub fn pg_detoast_datum(datum: *mut pg_sys::varlena) -> *mut pg_sys::varlena;
    pub fn MemoryContextAlloc(context: pg_sys::MemoryContext, size: usize) -> *mut std::ffi::c_void;
    pub fn standard_planner(
        query: *mut pg_sys::Query,
        text: *const c_char,
        cursor_options: c_int,
        params: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
    // libpq/auth.h, which the bindings do not carry.
    pub static mut ClientAuthentication_hook: ClientAuthenticationHook;
    // Bare, since our own function runs within them.
    #[cfg_attr(not(feature = "pg15"), link_name = "query_tree_walker_impl")]
    pub fn query_tree_walker(
        query: *mut pg_sys::Query,
        walker: Walker,
        context: *mut std::ffi::c_void,
        flags: c_int,
    ) -> bool;
    #[cfg_attr(not(feature = "pg15"), link_name = "expression_tree_walker_impl")]
    pub fn expression_tree_walker(node: *mut pg_sys::Node, walker: Walker, context: *mut std::ffi::c_void) -> bool;
    pub fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    #[cfg(not(feature = "pg18"))]
    pub fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        execute_once: bool,
    );
    #[cfg(feature = "pg18")]
    pub fn standard_ExecutorRun(query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64);

    // Bare, since what they raise is the caller's to see as it is.
    #[cfg(not(feature = "pg15"))]
    pub fn object_aclcheck(
        class: pg_sys::Oid,
        object: pg_sys::Oid,
        role: pg_sys::Oid,
        right: pg_sys::AclMode,
    ) -> pg_sys::AclResult::Type;
    #[cfg(feature = "pg15")]
    pub fn pg_proc_aclcheck(
        function: pg_sys::Oid,
        role: pg_sys::Oid,
        right: pg_sys::AclMode,
    ) -> pg_sys::AclResult::Type;
    pub fn aclcheck_error(result: pg_sys::AclResult::Type, of: pg_sys::ObjectType::Type, name: *const c_char);
    pub fn get_func_name(function: pg_sys::Oid) -> *mut c_char;
    pub fn RunFunctionExecuteHook(function: pg_sys::Oid);
    // Bare, since a row's change is told where a statement is run.
    pub fn palloc(size: usize) -> *mut std::ffi::c_void;
    pub fn palloc0(size: usize) -> *mut std::ffi::c_void;
    pub fn datum_image_eq(one: pg_sys::Datum, other: pg_sys::Datum, by_value: bool, length: c_int) -> bool;
    pub fn heap_deform_tuple(
        tuple: pg_sys::HeapTuple,
        desc: pg_sys::TupleDesc,
        values: *mut pg_sys::Datum,
        nulls: *mut bool,
    );
    pub fn lookup_rowtype_tupdesc_copy(of: pg_sys::Oid, modifier: i32) -> pg_sys::TupleDesc;
    pub fn SPI_fname(desc: pg_sys::TupleDesc, number: c_int) -> *mut c_char;
    pub fn SPI_gettypeid(desc: pg_sys::TupleDesc, number: c_int) -> pg_sys::Oid;
    pub fn get_typlenbyval(of: pg_sys::Oid, length: *mut i16, by_value: *mut bool);
    pub fn fmgr_info_cxt(function: pg_sys::Oid, info: *mut pg_sys::FmgrInfo, context: pg_sys::MemoryContext);
    pub fn makeNullConst(of: pg_sys::Oid, modifier: i32, collation: pg_sys::Oid) -> *mut pg_sys::Const;
    pub fn lappend(list: *mut pg_sys::List, datum: *mut std::ffi::c_void) -> *mut pg_sys::List;
    pub fn makeFuncExpr(
        function: pg_sys::Oid,
        result: pg_sys::Oid,
        arguments: *mut pg_sys::List,
        collation: pg_sys::Oid,
        input_collation: pg_sys::Oid,
        form: pg_sys::CoercionForm::Type,
    ) -> *mut pg_sys::FuncExpr;
    pub fn deconstruct_array(
        array: *mut pg_sys::ArrayType,
        of: pg_sys::Oid,
        length: c_int,
        by_value: bool,
        alignment: c_char,
        elements: *mut *mut pg_sys::Datum,
        nulls: *mut *mut bool,
        count: *mut c_int,
    );
    pub fn pushJsonbValue(
        state: *mut *mut pg_sys::JsonbParseState,
        what: pg_sys::JsonbIteratorToken::Type,
        value: *mut pg_sys::JsonbValue,
    ) -> *mut pg_sys::JsonbValue;
    pub fn AggCheckCallContext(fcinfo: pg_sys::FunctionCallInfo, context: *mut pg_sys::MemoryContext) -> c_int;
    pub fn OidOutputFunctionCall(function: pg_sys::Oid, value: pg_sys::Datum) -> *mut c_char;
    pub fn JsonEncodeDateTime(
        room: *mut c_char,
        value: pg_sys::Datum,
        of: pg_sys::Oid,
        zone: *const c_int,
    ) -> *mut c_char;
    pub fn int64_to_numeric(number: i64) -> pg_sys::Numeric;
    pub fn numeric_is_nan(number: pg_sys::Numeric) -> bool;
    pub fn numeric_is_inf(number: pg_sys::Numeric) -> bool;
    pub fn toast_raw_datum_size(value: pg_sys::Datum) -> usize;
    pub fn JsonbValueToJsonb(value: *mut pg_sys::JsonbValue) -> *mut pg_sys::Jsonb;
    pub fn JsonbExtractScalar(of: *mut pg_sys::JsonbContainer, value: *mut pg_sys::JsonbValue) -> bool;
    // None of these raises or allocates.
    pub safe fn GetUserId() -> pg_sys::Oid;
    pub safe fn GetSessionUserId() -> pg_sys::Oid;
    pub safe fn InNoForceRLSOperation() -> bool;
    pub fn GetUserIdAndSecContext(user: *mut pg_sys::Oid, context: *mut c_int);
    pub fn SetUserIdAndSecContext(user: pg_sys::Oid, context: c_int);
    pub safe fn NewGUCNestLevel() -> c_int;
    pub fn AtEOXact_GUC(is_commit: bool, nest_level: c_int);
    // Bare, since what they run is the users'.
    pub fn SPI_connect() -> c_int;
    pub fn SPI_execute(src: *const c_char, read_only: bool, tcount: std::ffi::c_long) -> c_int;
    pub fn SPI_execute_with_args(
        src: *const c_char,
        nargs: c_int,
        types: *mut pg_sys::Oid,
        values: *mut pg_sys::Datum,
        nulls: *const c_char,
        read_only: bool,
        tcount: std::ffi::c_long,
    ) -> c_int;
    pub fn SPI_getvalue(tuple: pg_sys::HeapTuple, tupdesc: pg_sys::TupleDesc, fnumber: c_int) -> *mut c_char;
    pub fn SPI_finish() -> c_int;
    // utils/timeout.h, which the bindings do not carry. The id is that of 15 to 18.
    pub fn get_timeout_active(id: c_int) -> bool;
    pub fn get_timeout_finish_time(id: c_int) -> pg_sys::TimestampTz;
    pub fn enable_timeout_after(id: c_int, milliseconds: c_int);
    // Calls what loops over caches of this session, wherever invalidations may arrive.
    pub fn CallSyscacheCallbacks(cache: c_int, hash: u32);
    // commands/sequence.h, which the bindings do not carry.
    pub safe fn ResetSequenceCaches();
}

/// nodes/nodeFuncs.h: QTW_IGNORE_RT_SUBQUERIES and QTW_IGNORE_CTE_SUBQUERIES.
pub const QTW_IGNORE_SUBQUERIES: c_int = 3;
/// c.h.
pub const STATUS_OK: c_int = 0;
/// utils/elog.h, from 14.
pub const LOG_SERVER_ONLY: c_int = 16;
pub const WARNING: c_int = 19;
pub const ERROR: c_int = 21;
pub const FATAL: c_int = 22;
/// utils/timeout.h.
pub const STATEMENT_TIMEOUT: c_int = 3;

/// PostgreSQL's `MAKE_SQLSTATE`: six bits a character.
pub const fn sqlstate(code: &str) -> c_int {
    let bytes = code.as_bytes();
    let (mut packed, mut i) = (0, 0);
    while i < 5 {
        packed |= (((bytes[i] - b'0') as c_int) & 0x3F) << (6 * i);
        i += 1;
    }
    packed
}
