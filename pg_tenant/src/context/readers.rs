//! What policies call: the current tenant, and whether a row is its own.
//!
//! These run for each row, and allocate nothing for it: a scan that is filtered by them costs what a literal costs.
//! [`crate::pg::own_function`] recognises them in policies and plans by the address of their code.

use crate::context::current::{now, written};
use crate::context::member::pg_tenant_require;
use crate::pg::own_function::{Own, OwnFunction};
use crate::pg::policy::Reader;
use crate::row_function;
use pgrx::pg_sys::Datum;

/// Each function that policies call.
pub static FUNCTIONS: [OwnFunction; 15] = [
    OwnFunction::new("pg_tenant_current_uuid", Own::Reads(Reader::Uuid), pg_tenant_current_uuid),
    OwnFunction::new("pg_tenant_current_bigint", Own::Reads(Reader::Bigint), pg_tenant_current_bigint),
    OwnFunction::new("pg_tenant_current_id", Own::Reads(Reader::Text), pg_tenant_current_id),
    // The forms of `tenant.is_current`, by the type of the tenant column, and the reader of the same type.
    OwnFunction::new("pg_tenant_is_current_uuid", Own::IsCurrent(Reader::Uuid), pg_tenant_is_current_uuid),
    OwnFunction::new("pg_tenant_is_current_bigint", Own::IsCurrent(Reader::Bigint), pg_tenant_is_current_bigint),
    OwnFunction::new("pg_tenant_is_current_integer", Own::IsCurrent(Reader::Bigint), pg_tenant_is_current_integer),
    OwnFunction::new("pg_tenant_is_current_smallint", Own::IsCurrent(Reader::Bigint), pg_tenant_is_current_smallint),
    OwnFunction::new("pg_tenant_is_current_text", Own::IsCurrent(Reader::Text), pg_tenant_is_current_text),
    OwnFunction::new(
        "pg_tenant_is_current_or_shared_uuid",
        Own::IsCurrentOrShared(Reader::Uuid),
        pg_tenant_is_current_or_shared_uuid,
    ),
    OwnFunction::new(
        "pg_tenant_is_current_or_shared_bigint",
        Own::IsCurrentOrShared(Reader::Bigint),
        pg_tenant_is_current_or_shared_bigint,
    ),
    OwnFunction::new(
        "pg_tenant_is_current_or_shared_integer",
        Own::IsCurrentOrShared(Reader::Bigint),
        pg_tenant_is_current_or_shared_integer,
    ),
    OwnFunction::new(
        "pg_tenant_is_current_or_shared_smallint",
        Own::IsCurrentOrShared(Reader::Bigint),
        pg_tenant_is_current_or_shared_smallint,
    ),
    OwnFunction::new(
        "pg_tenant_is_current_or_shared_text",
        Own::IsCurrentOrShared(Reader::Text),
        pg_tenant_is_current_or_shared_text,
    ),
    OwnFunction::new("pg_tenant_is_member", Own::IsMember, pg_tenant_is_member),
    OwnFunction::new("pg_tenant_require", Own::Requires, pg_tenant_require),
];

row_function!(pg_tenant_current_uuid, pg_finfo_pg_tenant_current_uuid, |call| {
    now().has_uuid.then(|| call.copy(written(), || now().uuid))
});
row_function!(pg_tenant_current_bigint, pg_finfo_pg_tenant_current_bigint, |_| {
    now().has_bigint.then(|| Datum::from(now().bigint))
});
row_function!(pg_tenant_current_id, pg_finfo_pg_tenant_current_id, |call| {
    now().has_id.then(|| call.copy(written(), || now().text))
});

/// A form of `tenant.is_current`, and the form of `tenant.is_current_or_shared` for the same type, which also takes
/// rows of nobody for some that the current tenant may see. False where there is no current tenant.
macro_rules! fence {
    ($own:ident, $own_finfo:ident, $or_shared:ident, $or_shared_finfo:ident, $has:ident, $is_current:expr) => {
        row_function!($own, $own_finfo, |call| {
            Some(Datum::from(now().$has && call.argument().is_some_and($is_current)))
        });
        row_function!($or_shared, $or_shared_finfo, |call| {
            Some(Datum::from(now().$has && call.argument().is_none_or($is_current)))
        });
    };
}

fence!(
    pg_tenant_is_current_uuid,
    pg_finfo_pg_tenant_is_current_uuid,
    pg_tenant_is_current_or_shared_uuid,
    pg_finfo_pg_tenant_is_current_or_shared_uuid,
    has_uuid,
    |value| value.uuid() == now().uuid
);
fence!(
    pg_tenant_is_current_bigint,
    pg_finfo_pg_tenant_is_current_bigint,
    pg_tenant_is_current_or_shared_bigint,
    pg_finfo_pg_tenant_is_current_or_shared_bigint,
    has_bigint,
    |value| value.bigint() == now().bigint
);
fence!(
    pg_tenant_is_current_integer,
    pg_finfo_pg_tenant_is_current_integer,
    pg_tenant_is_current_or_shared_integer,
    pg_finfo_pg_tenant_is_current_or_shared_integer,
    has_bigint,
    |value| i64::from(value.integer()) == now().bigint
);
fence!(
    pg_tenant_is_current_smallint,
    pg_finfo_pg_tenant_is_current_smallint,
    pg_tenant_is_current_or_shared_smallint,
    pg_finfo_pg_tenant_is_current_or_shared_smallint,
    has_bigint,
    |value| i64::from(value.smallint()) == now().bigint
);
fence!(
    pg_tenant_is_current_text,
    pg_finfo_pg_tenant_is_current_text,
    pg_tenant_is_current_or_shared_text,
    pg_finfo_pg_tenant_is_current_or_shared_text,
    has_id,
    |value| {
        let text = now().text;
        value.is_text(text.bytes())
    }
);
// `tenant.is_member`: its argument, while there is a current tenant.
row_function!(pg_tenant_is_member, pg_finfo_pg_tenant_is_member, |call| {
    Some(Datum::from(now().has_id && call.argument().is_some_and(|value| value.boolean())))
});
