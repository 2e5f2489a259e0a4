//! Tenants without an owner, members without a role, invitations that nobody took, permissions that nobody has.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    by_hand(
        "T123",
        "acme",
        "select tenant.define_role('viewer', 10, '{invoice.read}'), tenant.define_role('owner', 40, '{invoice.write}'), tenant.add_member('acme', 'ann', 'viewer')",
        "select tenant.set_member_role('acme', 'ann', 'owner')",
    ),
    by_hand(
        "T123",
        "acme",
        "update tenant.members set status = 'deactivated'",
        "select tenant.reactivate_member('acme', 'ann')",
    ),
    by_hand(
        "T123",
        "acme",
        "select tenant.define_role('founder', 50)",
        "select tenant.drop_role('founder', 'nobody is one')",
    ),
    by_hand(
        "T124",
        "ghost",
        "insert into tenant.members (tenant_id, user_id, role) values ('acme', 'bob', 'ghost')",
        "delete from tenant.members where user_id = 'bob'",
    ),
    fixed(
        "T125",
        "acme",
        "select tenant.invite('acme', 'carol@example.com', 'viewer'); update tenant.invitations set expires_at = now() - interval '31 days'",
    ),
    by_hand(
        "T126",
        "public.orders.\"tenant_select_invoice.read\"",
        "select tenant.require_permission('orders', 'select', 'invoice.read'), tenant.define_role('viewer', 10)",
        "select tenant.define_role('viewer', 10, '{invoice.read}'), tenant.drop_permission('orders', 'select')",
    ),
    by_hand(
        "T126",
        "public.t126.mine",
        "create table t126 (tenant_id text); select tenant.protect('t126'); create policy mine on t126 as restrictive using (tenant.can('invoice.none') or tenant.has_role('owner'))",
        "drop table t126",
    ),
    fixed(
        "T127",
        "public.t127a",
        "create table t127 (tenant_id text, id int) partition by range (id); create table t127a partition of t127 for values from (0) to (9)
         select tenant.protect('t127'), tenant.require_permission('t127', 'all', 'invoice.write')
         drop policy \"tenant_update_invoice.write\" on t127a",
    ),
];

#[tokio::test]
async fn while_it_is_there() {
    prove("people_defects", CASES).await;
}
