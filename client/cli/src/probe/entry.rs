//! pg_tenant's entry through the path: is it let in, and is it gone after the transaction?

use crate::wire::{Fault, Wire};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// The database has no pg_tenant.
    #[default]
    Absent,
    /// The role may not enter tenants.
    NotGranted,
    /// Why a pool could not enter.
    Refused(String),
    /// The session is taken for clean. The extension's version.
    Clean(String),
    /// As that, and a tenant was entered and gone afterwards.
    Entered(String),
    /// A tenant was there after its transaction.
    Stayed,
}

/// An id that is none: the session is looked at first.
const NOBODY: &str = "begin; select tenant.enter_pristine('')";

pub async fn through(wires: &[Wire], tenant: Option<&str>) -> Result<Entry, Fault> {
    let Some(first) = wires.first() else { return Ok(Entry::Absent) };
    let version = match first.value("select tenant.version()").await {
        Ok(version) => version,
        Err(fault) => return if fault.code() == "42501" { Ok(Entry::NotGranted) } else { absent(fault) },
    };
    for wire in wires {
        let refused = wire.ask(NOBODY).await;
        wire.ask("rollback").await?;
        match refused {
            Err(Fault::Said(code, ..)) if matches!(&*code, "TN004" | "TN090") => {}
            Err(Fault::Said(code, ..)) if code == "42501" => return Ok(Entry::NotGranted),
            Err(fault @ Fault::Said(..)) => return Ok(Entry::Refused(fault.to_string())),
            answer => answer.map(drop)?,
        }
    }
    let Some(tenant) = tenant else { return Ok(Entry::Clean(version)) };
    let tenant = tenant.replace('\'', "''").replace('\\', "");
    for wire in wires {
        if let Err(fault) = wire.ask(&format!("begin; select tenant.enter_pristine('{tenant}')")).await {
            wire.ask("rollback").await?;
            return Ok(Entry::Refused(fault.to_string()));
        }
        wire.ask("commit").await?;
        for other in wires {
            if !other.value("select tenant.current_id()").await?.is_empty() {
                return Ok(Entry::Stayed);
            }
        }
    }
    Ok(Entry::Entered(version))
}

fn absent(fault: Fault) -> Result<Entry, Fault> {
    if matches!(fault.code(), "3F000" | "42883") { Ok(Entry::Absent) } else { Err(fault) }
}
