-- What the functions of this folder hand to each other.

-- Why a key stays without the tenant: its SQLSTATE, what cannot be, and the reason.
create type tenant_internal.obstacle as (code text, problem text, reason text);

-- A step of hardening: the statement and the table that it is run on, why, what applications write otherwise then, and
-- the foreign keys that it validates. Without a statement: what stays, and its obstacle or the table that is not
-- protected yet.
create type tenant_internal.hardening_step as (relation regclass, statement text, why text, changes text, foreign_keys oid[],
    obstacle tenant_internal.obstacle, unprotected regclass);

-- A key that is to get the tenant.
create type tenant_internal.key_plan as (
    relation oid,
    index oid,
    constraint_oid oid,     -- null where it is an index alone
    name text,
    columns smallint[],
    is_reference boolean,   -- foreign keys can refer to it
    own smallint,           -- the tenant column
    held boolean,           -- it stays, beside one with the tenant: a foreign key or an application needs it
    waiting oid[],          -- foreign keys that refer to it, and can get the tenant with it
    why text,
    changes text
);
