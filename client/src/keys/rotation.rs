//! A new version of a data key, and values that are sealed anew by it, some at a time.

use zeroize::Zeroizing;

use super::cache::{TenantKeys, no_random};
use super::column::Column;
use super::data_key::{self, LENGTH};
use super::opened::OpenKeys;
use super::sealed::Sealed;
use super::store::Stored;
use crate::error::{Error, Kind};
use crate::tx::tenant_tx::TenantTx;

impl TenantKeys {
    /// Adds a version of the data key. Once the transaction is committed, every process hears of it as its cache runs
    /// out; after twice the cache's time it is the one that seals. Older versions open what they have sealed. Blind
    /// indexes stay as they are. Commit at once: the time counts from this call.
    ///
    /// # Errors
    /// Those of [`enter`](Self::enter).
    pub async fn rotate(&self, tx: &mut TenantTx, purpose: &str) -> Result<OpenKeys, Error> {
        let place = (Stored::tenant(tx).await?, purpose.to_owned());
        self.cache.invalidate(&place).await;
        let stored = tx.stored(purpose).await?;
        let Some(newest) = stored.first() else { return self.enter(tx, purpose).await };
        let old = self.service.unwrap(&place.0, &newest.wrapped).await?;
        let mut bytes: Zeroizing<Vec<u8>> = data_key::random().ok_or_else(no_random)?;
        let index =
            old.get(32..LENGTH).ok_or_else(|| Error::key_service(&place.0, "unwrapped", "It is no data key."))?;
        bytes[32..].copy_from_slice(index);
        self.added(tx, purpose, newest.version.saturating_add(1), bytes, stored.clone()).await
    }

    /// Seals up to `at_most` values of the column anew that an older version has sealed: call it, each time in a
    /// transaction of its own, until [`Resealed::resealed`] is 0. Values that do not open are left as they are, and
    /// counted. Rows that others have locked are left for the next time. Who is interrupted goes on where it was.
    ///
    /// # Errors
    /// The newest version does not seal yet (no SQLSTATE): see [`rotate`](Self::rotate). Those of
    /// [`enter`](Self::enter); `42501` where the role may not update the column.
    pub async fn reseal(
        &self,
        tx: &mut TenantTx,
        purpose: &str,
        column: &Column,
        at_most: u32,
    ) -> Result<Resealed, Error> {
        // What is cached may be from before the newest version sealed.
        self.cache.invalidate(&(Stored::tenant(tx).await?, purpose.to_owned())).await;
        let keys = self.enter(tx, purpose).await?;
        if keys.0.sealing > 0 {
            let wait = format!("every process knows it {:?} after it was added", self.ttl * 2);
            return Err(Error::new(Kind::Config, "the newest version of the key does not seal yet")
                .with_detail("Another process may not have heard of it, and could not open what it has sealed.")
                .with_hint(wait));
        }
        let (table, name, newest) = (column.table, column.column, keys.version().to_be_bytes().to_vec());
        let some = format!(
            "select tableoid::oid, ctid::text, {name} from {table}
             where {name} is not null and substr({name}, 5, 4) <> $1 and (tableoid, ctid) > ($3, $4::text::tid)
             order by tableoid, ctid limit $2 for no key update skip locked"
        );
        let anew = format!("update {table} set {name} = $3 where tableoid = $1 and ctid = $2::text::tid");
        let (mut all, mut last) = (Resealed::default(), (0_u32, "(0,0)".to_owned()));
        loop {
            let rest = i64::from(at_most) - i64::try_from(all.resealed).unwrap_or(i64::MAX);
            if rest <= 0 {
                return Ok(all);
            }
            let rows = tx.query(&some, &[&newest, &rest, &last.0, &last.1]).await?;
            // Beyond those that do not open there may be others.
            let Some(row) = rows.last() else { return Ok(all) };
            last = (row.try_get(0)?, row.try_get(1)?);
            for row in rows {
                let (part, place, value): (u32, &str, Sealed<()>) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                // Byte for byte: what is in it is not read.
                match keys.open_bytes(column, &value) {
                    Ok(plain) => {
                        let value: Sealed<()> = keys.seal_bytes(column, &plain)?;
                        all.resealed += tx.execute(&anew, &[&part, &place, &value]).await?;
                    }
                    Err(why) => {
                        all.unopened += 1;
                        let it = format!("select * from {table} where tableoid = {part} and ctid = '{place}'");
                        all.why.get_or_insert(why.with_hint(it));
                    }
                }
            }
        }
    }
}

/// What [`TenantKeys::reseal`] has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many values were sealed anew.
    pub resealed: u64,
    /// How many do not open, of those that it came by.
    pub unopened: u64,
    /// Why the first of these does not, and, as its hint, which row it is.
    pub why: Option<Error>,
}
