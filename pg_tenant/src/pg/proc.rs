//! `pg_proc`: which function this is, and which one has that name.

use crate::pg::oids;
use crate::pg::{catalog, extension, text};
use pgrx::pg_sys;

/// The function's name, for messages.
pub fn name(function: pg_sys::Oid) -> String {
    // SAFETY: the lookup returns null or a palloc'ed string.
    unsafe { text::owned(pg_sys::get_func_name(function)) }
}

/// Whether the function is the extension's own of this name.
pub fn is_ours(function: pg_sys::Oid, name: &str) -> bool {
    // SAFETY: catalog lookups that return null or InvalidOid where there is nothing.
    unsafe {
        let found = pg_sys::get_func_name(function);
        !found.is_null()
            && text::owned(found) == name
            && pg_sys::getExtensionOfObject(pg_sys::ProcedureRelationId, function)
                == pg_sys::get_extension_oid(c"pg_tenant".as_ptr(), true)
    }
}

/// Whether the function stands in this session's temporary schema; also when it was made a moment ago.
pub fn is_temporary(function: pg_sys::Oid) -> bool {
    const BY_OID: pg_sys::Oid = oids::ProcedureOidIndexId;
    const OID: pg_sys::AttrNumber = 1;
    const PRONAMESPACE: pg_sys::AttrNumber = 3;
    let mut schema = pg_sys::Oid::INVALID;
    catalog::scan_now(pg_sys::ProcedureRelationId, BY_OID, &[(OID, function)], |row| schema = row.oid(PRONAMESPACE));
    // SAFETY: compares the oid with that of this session's schema.
    unsafe { pg_sys::isTempNamespace(schema) }
}

/// What a function is written in, and whether it is declared IMMUTABLE.
pub struct Source {
    /// For C and for PostgreSQL's own language of that kind; then the text is the symbol.
    pub in_c: bool,
    pub text: String,
    pub immutable: bool,
}

/// Whether the executor calls it and no user can: a trigger, a method of TABLESAMPLE.
pub fn is_called_by_the_executor(function: pg_sys::Oid) -> bool {
    // SAFETY: a syscache lookup; the function is there, since it is about to be called.
    matches!(unsafe { pg_sys::get_func_rettype(function) }, pg_sys::TRIGGEROID | pg_sys::TSM_HANDLEROID)
}

/// The C symbol of a function, if it is written in C: in a library, or in the server itself under another name.
pub fn symbol(function: pg_sys::Oid) -> Option<String> {
    source_if(function, |in_c| in_c).map(|source| source.text)
}

/// The source of a function; none where it does not exist (any more).
pub fn source(function: pg_sys::Oid) -> Option<Source> {
    source_if(function, |_| true)
}

fn source_if(function: pg_sys::Oid, wanted: impl Fn(bool) -> bool) -> Option<Source> {
    const C_LANGUAGES: [pg_sys::Oid; 2] = [pg_sys::Oid::from_u32(12), pg_sys::Oid::from_u32(13)];
    // SAFETY: the tuple is valid until released; prosrc is a text.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, function.into());
        if tuple.is_null() {
            return None;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let mut isnull = false;
        let source = pg_sys::SysCacheGetAttr(cache, tuple, pg_sys::Anum_pg_proc_prosrc as i16, &mut isnull);
        let in_c = C_LANGUAGES.contains(&form.prolang);
        let source = (wanted(in_c) && !isnull).then(|| Source {
            in_c,
            text: text::owned(pg_sys::text_to_cstring(source.cast_mut_ptr())),
            immutable: form.provolatile as u8 == pg_sys::PROVOLATILE_IMMUTABLE,
        });
        pg_sys::ReleaseSysCache(tuple);
        source
    }
}

/// The function `tenant_internal.<name>(regclass, regclass)`, without asking who may see the schema; InvalidOid where
/// there is none, which fmgr_info refuses.
pub fn of_tables(name: &str) -> pg_sys::Oid {
    of_two(name, [pg_sys::REGCLASSOID; 2])
}

/// The function `tenant_internal.<name>(oid, oid)`, without asking who may see the schema.
pub fn of_oids(name: &str) -> Option<pg_sys::Oid> {
    found(of_two(name, [pg_sys::OIDOID; 2]))
}

/// The function `tenant_internal.<name>(internal, anyelement)`, likewise.
pub fn of_any(name: &str) -> Option<pg_sys::Oid> {
    found(of_two(name, [pg_sys::INTERNALOID, pg_sys::ANYELEMENTOID]))
}

fn found(function: pg_sys::Oid) -> Option<pg_sys::Oid> {
    (function != pg_sys::Oid::INVALID).then_some(function)
}

/// The function `tenant_internal.<name>(text)`, likewise.
pub fn of_text(name: &str) -> pg_sys::Oid {
    of(name, &[pg_sys::TEXTOID])
}

fn of_two(name: &str, types: [pg_sys::Oid; 2]) -> pg_sys::Oid {
    of(name, &types)
}

fn of(name: &str, types: &[pg_sys::Oid]) -> pg_sys::Oid {
    let cache = pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32;
    // SAFETY: the keys are a text, an oidvector and an oid, as the cache asks for; missing_ok.
    unsafe {
        let schema = extension::internal_schema();
        let arguments = pg_sys::buildoidvector(types.as_ptr(), types.len() as i32);
        let name = text::ctext(name).as_ptr();
        let (name, arguments) = (pg_sys::Datum::from(name), pg_sys::Datum::from(arguments));
        let oid = pg_sys::Anum_pg_proc_oid as i16;
        pg_sys::GetSysCacheOid(cache, oid, name, arguments, schema.into(), pg_sys::Datum::null())
    }
}

/// The function of this name in schema `tenant_internal`; an error of PostgreSQL's own where there is none. The schema
/// is found by its oid: whoever calls need not have USAGE on it.
pub fn internal(name: &str) -> pg_sys::Oid {
    let schema = extension::internal_schema();
    let cache = pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32;
    let key = text::ctext(name);
    // SAFETY: the key is a text, as the cache's first column asks for; the list and its tuples are valid until
    // released, and nothing between raises.
    let found = unsafe {
        let none = pg_sys::Datum::null();
        let list = pg_sys::SearchSysCacheList(cache, 1, pg_sys::Datum::from(key.as_ptr()), none, none);
        let members = (*list).members.as_slice(usize::try_from((*list).n_members).unwrap_or(0));
        let rows = members
            .iter()
            .map(|&member| &*pg_sys::GETSTRUCT(&raw mut (*member).tuple).cast::<pg_sys::FormData_pg_proc>());
        let found = rows.filter(|row| row.pronamespace == schema).map(|row| row.oid).next();
        pg_sys::ReleaseCatCacheList(list);
        found
    };
    found.unwrap_or_else(|| missing(name))
}

/// PostgreSQL's own error.
fn missing(name: &str) -> pg_sys::Oid {
    let string = |text: &str| {
        // SAFETY: makeString keeps the palloc'ed copy.
        unsafe { pg_sys::makeString(text::ctext(text).as_ptr().cast_mut()) }
    };
    // SAFETY: a list of two String nodes; -1 takes the function whatever its arguments are, and an array of none is not
    // the null pointer, which is for functions without any.
    unsafe {
        let names = pg_sys::lappend(std::ptr::null_mut(), string("tenant").cast());
        let names = pg_sys::lappend(names, string(name).cast());
        pg_sys::LookupFuncName(names, -1, [].as_ptr(), false)
    }
}
