//! The kinds of utility commands that guards tell apart.

use super::New;
use pgrx::pg_sys::Oid;
use std::ffi::CString;

/// A utility command, as far as guards ask.
pub enum Command {
    /// ALTER TABLE.
    AlterTable { table: Oid, changes: Vec<Change> },
    /// ALTER, RENAME or DROP of an existing policy.
    ChangePolicy { table: Oid, policy: String },
    /// CREATE RULE, INDEX or POLICY, a RENAME, CLUSTER and the like: a command on one table or an index of it.
    DefineOn { table: Oid, what: &'static str },
    /// VACUUM or ANALYZE of these tables.
    Maintain { tables: Vec<Oid> },
    /// VACUUM, ANALYZE, CLUSTER or REINDEX of whatever there is: no table is named.
    MaintainAll { what: &'static str },
    /// ALTER SEQUENCE.
    AlterSequence { sequence: Oid },
    /// REFRESH MATERIALIZED VIEW.
    Refresh { view: Oid },
    /// CREATE, ALTER or DROP of a publication or a subscription.
    Publish { what: &'static str },
    /// COMMENT, GRANT, ALTER … OWNER or SECURITY LABEL on a large object.
    LargeObject,
    /// CREATE TRIGGER.
    CreateTrigger { table: Oid },
    /// CREATE TABLE.
    Create(New),
    /// CREATE VIEW.
    CreateView,
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW. The tables that it reads are known
    /// where it is not temporary.
    CreateTableAs { materialized_view: bool, temporary: bool, reads: Vec<Oid> },
    /// EXPLAIN, and of what.
    Explain(Box<Command>),
    /// COPY between a table and a program or a file of the server.
    CopyFile,
    /// IMPORT FOREIGN SCHEMA.
    ImportForeignSchema,
    /// LOCK TABLE in a mode that holds up who only reads or writes rows; whether what stands below is locked too.
    Lock { tables: Vec<(Oid, bool)> },
    /// ALTER DOMAIN; ALTER TYPE of an enum.
    AlterType { changed: Oid, what: &'static str },
    /// DECLARE … WITH HOLD.
    HoldCursor { name: CString },
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// PREPARE, by SQL.
    PrepareStatement { name: CString },
    /// LISTEN.
    Listen { channel: String },
    /// UNLISTEN *.
    UnlistenAll,
    /// SET, RESET.
    Set,
    /// NOTIFY.
    Notify { channel: String, has_payload: bool },
    /// DISCARD ALL.
    DiscardAll,
    /// GRANT SET or ALTER SYSTEM ON PARAMETER.
    GrantOnParameter { parameters: Vec<String> },
    /// GRANT and REVOKE of roles, a comment on a role or a database, or a label.
    ChangeRole { what: &'static str },
    /// What a role owns and may: REASSIGN OWNED, DROP OWNED.
    ChangeOwned { what: &'static str },
    /// ALTER ROLE ALL SET, ALTER DATABASE … SET.
    StoreSetting { parameter: String, of: &'static str },
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, ROLLBACK and the like: runs in failed transactions too, so nothing may be looked up.
    Transaction,
    /// Anything else.
    Other,
}

/// One change of an ALTER TABLE.
pub enum Change {
    DisableRowSecurity,
    NoForceRowSecurity,
    DropColumn(String),
    AlterColumnType(String),
    DropNotNull(String),
    /// DETACH PARTITION of this one.
    Detach(Oid),
    /// ATTACH PARTITION of another; the table itself is the parent.
    Attach,
    /// INHERIT from this parent.
    Inherit(Oid),
    NoInherit,
    Other,
}
