//! Which statements are looked at.

use pg_tenant_core::statistics::ONE_IN;
use std::cell::Cell;

thread_local! {
    static CHANCE: Cell<u64> = const { Cell::new(0x2545_F491_4F6C_DD1D) };
}

/// One in [`ONE_IN`], by chance: transactions that repeat the same statements would else show one of them alone.
pub(super) fn is_taken() -> bool {
    let random = CHANCE.get();
    let random = random ^ (random << 13);
    let random = random ^ (random >> 7);
    let random = random ^ (random << 17);
    CHANCE.set(random);
    random.is_multiple_of(ONE_IN)
}
