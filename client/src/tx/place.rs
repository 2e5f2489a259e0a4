//! Where a transaction that reads begins: on a replica, if there is one that may serve it.

use crate::error::Error;
use crate::pool::admission::Site;
use crate::pool::read_after::ReadAfter;
use crate::pool::replicas::Outcome;
use crate::pool::tenant_pool::TenantPool;
use crate::tenant::share::Share;
use crate::tx::entry::EntryMethod;
use crate::tx::open_tx::OpenTx;
use crate::tx::options::BeginOptions;
use crate::tx::primary::Primary;

/// Where a transaction that reads begins, and for whom.
pub(crate) struct Place<'a> {
    pub(crate) pool: &'a TenantPool,
    pub(crate) share: Share,
    pub(crate) site: Site,
    /// What it must see.
    pub(crate) after: Option<ReadAfter>,
}

impl Place<'_> {
    /// On a replica that may serve it, where there is one; `on_primary` where it turns out that it cannot.
    pub(crate) async fn begin_on_replica(
        self,
        method: &EntryMethod,
        options: BeginOptions,
        on_primary: BeginOptions,
    ) -> Result<Option<OpenTx>, Error> {
        let Place { pool: home, share, site, after } = self;
        let Some(replicas) = home.replicas() else { return Ok(None) };
        let Some(needs) = replicas.written.needs(share.tenant()) else { return Ok(None) };
        let needs = after.map_or(needs, |ReadAfter(after)| needs.max(after));
        let Some((at, pool)) = replicas.choose(needs) else { return Ok(None) };
        match pool.lease_by(share, site, method.by()).await {
            Ok(lease) => {
                let (options, on_primary) = (options.within(lease.permit()), on_primary.within(lease.permit()));
                let (method, check) = (method.clone(), replicas.check(needs));
                let primary = Primary { pool: home.clone(), method, options: on_primary, share, site, at, needs };
                Ok(Some(OpenTx::on_replica(pool, lease, check, &options, primary)))
            }
            Err(error) if error.is_limited() => Err(error),
            Err(_) => {
                home.note_read(at, Outcome::Away, needs, &share);
                Ok(None)
            }
        }
    }
}
