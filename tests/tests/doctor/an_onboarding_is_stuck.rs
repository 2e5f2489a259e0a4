//! Tenants that are being set up, and nobody gets on with it.

use crate::case::{Case, by_hand, fixed, prove};

pub const CASES: &[Case] = &[
    fixed(
        "T132",
        "t132/a",
        "select tenant.begin_onboarding('t132', '[{\"step\": \"a\"}]')
         select tenant.claim_step('w')
         select tenant.fail_step('t132', 'a', 1, 'broken', give_up => true)",
    ),
    by_hand(
        "T132",
        "t132b/a",
        "select tenant.begin_onboarding('t132b', '[{\"step\": \"a\"}]')
         update tenant.onboarding set not_before = now() - interval '1 hour' where tenant_id = 't132b'",
        "select tenant.claim_step('w')",
    ),
    by_hand(
        "T132",
        "t132c/a",
        "select tenant.begin_onboarding('t132c', '[{\"step\": \"a\"}]'); select tenant.claim_step('w') from generate_series(1, 3)
         update tenant.onboarding set claim_expires = now() - interval '1 hour' where tenant_id = 't132c'",
        "select tenant.abandon_onboarding('t132c', 'not wanted')",
    ),
    by_hand(
        "T133",
        "t133",
        "insert into tenant.tenants (id, status, status_since) values ('t133', 'provisioning', now() - interval '2 days')",
        "select tenant.activate('t133')",
    ),
    fixed(
        "T134",
        "t134",
        "select tenant.set_ready_pool('t134', 1, '[{\"step\": \"a\"}]')
         update tenant.ready_pools set changed_at = now() - interval '1 hour'",
    ),
];

#[tokio::test]
async fn a_step_or_a_pool() {
    prove("onboarding", CASES).await;
}
