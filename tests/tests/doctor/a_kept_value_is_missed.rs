//! A function that PostgreSQL computes once, and that depends on the tenant; what is computed with it.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed(
        "T104",
        "public.f104()",
        "create function f104() returns text language sql immutable as 'select min(note) from orders'",
    ),
    fixed(
        "T104",
        "public.listed104()",
        "create function listed104() returns text language sql immutable as 'select min(o.note) from pg_class c, public.\"orders\" o'",
    ),
    fixed(
        "T104",
        "public.dynamic104()",
        "create function dynamic104() returns text language plpgsql immutable as 'declare v text; begin execute $x$select note from orders$x$ into v; return v; end'",
    ),
    fixed(
        "T104",
        "public.viewed104()",
        "create view v104 with (security_invoker = true) as select note from orders
         create function viewed104() returns text language sql immutable as 'select min(note) from v104'",
    ),
    fixed(
        "T104",
        "public.outer104(text)",
        "create function inner104() returns text language sql stable as 'select min(note) from orders'
         create function middle104() returns text language plpgsql stable as 'begin return inner104(); end'
         create function outer104(text) returns text language plpgsql immutable as 'begin return $1 || middle104(); end'",
    ),
    fixed(
        "T104",
        "public.who104()",
        "create function context104() returns text language sql stable as 'select tenant.current_id()'
         create function who104() returns text language plpgsql immutable as 'begin return context104(); end'",
    ),
    fixed(
        "T104",
        "public.atomic104()",
        "create function atomic104() returns text immutable begin atomic; select min(note) from orders; end",
    ),
    fixed(
        "T105",
        "domain constraint d105_check on public.d105",
        "create function a105() returns text language sql immutable as 'select min(note) from public.orders'; create domain d105 as text check (value = a105())",
    ),
    fixed(
        "T105",
        "default value for public.t105.note",
        "create function b105() returns text language sql immutable as 'select current_setting(''app.note'')'; create table t105 (note text default b105())",
    ),
    fixed(
        "T105",
        "table constraint t105b_note_check on public.t105b",
        "create function c105() returns text language sql immutable as 'select min(note) from public.orders'; create table t105b (note text check (note = c105()))",
    ),
    fixed(
        "T105",
        "policy p105 on public.t105b",
        "create function d105() returns text language sql immutable as 'select min(note) from public.orders'; create policy p105 on t105b using (note = d105())",
    ),
    fixed(
        "T105",
        "index public.i105",
        "create function e105() returns text language sql immutable as 'select min(note) from public.orders'; create index i105 on t105b ((note || e105()))",
    ),
    // Declared otherwise, when the index is there already.
    fixed(
        "T105",
        "index public.j105",
        "create function f105() returns text language sql immutable as 'select min(note) from public.orders'; create index j105 on t105b (note) where note = f105(); alter function f105() stable",
    ),
    fixed(
        "T105",
        "index public.k105",
        "create function g105(text, text) returns boolean language sql immutable as 'select $1 = min(note) from public.orders'; create operator ~~~~ (leftarg = text, rightarg = text, function = g105); create index k105 on t105b ((note ~~~~ 'x'))",
    ),
    fixed(
        "T105",
        "default value for public.t105c.stamp",
        "create function h105() returns text language sql immutable as 'select min(note) from public.orders'; create table t105c (note text, stamp text generated always as (note || h105()) stored)",
    ),
    fixed(
        "T105",
        "statistics object public.s105",
        "create function i105(text) returns text language sql immutable as 'select min(note) || $1 from public.orders'; create statistics s105 on (i105(note)) from t105b",
    ),
    by_hand(
        "T105",
        "table public.p105",
        "create function k105(text) returns text language sql immutable as 'select min(note) || $1 from public.orders'; create table p105 (note text) partition by list (k105(note))",
        "drop table p105",
    ),
];

#[tokio::test]
async fn a_kept_value() {
    prove("kept", CASES).await;
}
