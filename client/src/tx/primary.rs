//! Where a transaction goes that a replica cannot serve.

use crate::pool::admission::Site;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;
use crate::tx::entry::EntryMethod;
use crate::tx::options::BeginOptions;
use crate::wire::lsn::Lsn;

/// Where, and as what, a transaction begins that a replica cannot serve.
pub(crate) struct Primary {
    pub(super) pool: TenantPool,
    pub(super) method: EntryMethod,
    pub(super) options: BeginOptions,
    pub(super) share: Share,
    pub(super) site: Site,
    /// The replica that it is on, and what that must have replayed.
    pub(super) at: usize,
    pub(super) needs: Lsn,
}
