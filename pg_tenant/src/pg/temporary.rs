//! Temporary objects, as the catalogs know them: by the schema they stand in, however their command spelled it.

use crate::pg::catalog::{self, Name, Row};
use crate::pg::oids;
use crate::pg::{depend, parts, relation};
use pgrx::pg_sys::{self, AttrNumber, Oid};

const OID: AttrNumber = 1;
const NAME: AttrNumber = 2;
const NAMESPACE: Oid = oids::NamespaceRelationId;
const TYPE: Oid = oids::TypeRelationId;
const DEFAULT: Oid = oids::AttrDefaultRelationId;
const REWRITE: Oid = oids::RewriteRelationId;
const TOAST_SCHEMA: Oid = Oid::from_u32(99);

/// The catalogs of what has a schema: their index by oid, the column that names the schema, and what their rows are.
const CATALOGS: [(Oid, Oid, AttrNumber, &str); 13] = [
    (pg_sys::RelationRelationId, oids::ClassOidIndexId, 3, "relation"),
    (TYPE, oids::TypeOidIndexId, 3, "type"),
    (pg_sys::ProcedureRelationId, oids::ProcedureOidIndexId, 3, "function"),
    (oids::OperatorRelationId, oids::OperatorOidIndexId, 3, "operator"),
    (oids::OperatorClassRelationId, oids::OpclassOidIndexId, 4, "operator class"),
    (oids::OperatorFamilyRelationId, oids::OpfamilyOidIndexId, 4, "operator family"),
    (oids::CollationRelationId, oids::CollationOidIndexId, 3, "collation"),
    (oids::ConversionRelationId, oids::ConversionOidIndexId, 3, "conversion"),
    (oids::TSConfigRelationId, oids::TSConfigOidIndexId, 3, "text search configuration"),
    (oids::TSDictionaryRelationId, oids::TSDictionaryOidIndexId, 3, "text search dictionary"),
    (oids::TSParserRelationId, oids::TSParserOidIndexId, 3, "text search parser"),
    (oids::TSTemplateRelationId, oids::TSTemplateOidIndexId, 3, "text search template"),
    (oids::StatisticExtRelationId, oids::StatisticExtOidIndexId, 4, "statistics object"),
];

/// Their indexes by name and schema, for what PostgreSQL looks for in the temporary schema first.
const BY_NAME: [(Oid, Oid, AttrNumber, &str); 2] = [
    (pg_sys::RelationRelationId, oids::ClassNameNspIndexId, 3, "relation"),
    (TYPE, oids::TypeNameNspIndexId, 3, "type"),
];

/// The session's temporary schema, once there was something to put there.
pub fn schema() -> Option<Oid> {
    let (mut schema, mut toast) = (Oid::INVALID, Oid::INVALID);
    // SAFETY: writes the two oids.
    unsafe { pg_sys::GetTempNamespaceState(&mut schema, &mut toast) };
    (schema != Oid::INVALID).then_some(schema)
}

/// A temporary object.
#[derive(Clone, Copy)]
pub struct Temporary {
    pub class: Oid,
    pub object: Oid,
    /// "table", "function" and the like.
    pub what: &'static str,
}

/// The object, where it stands in the session's temporary schema; of a rule, a trigger, a constraint or a default, the
/// relation that has it. Indexes are part of their tables. It may have been made a moment ago.
pub fn read(class: Oid, object: Oid) -> Option<Temporary> {
    let schema = schema()?;
    let Some(&(catalog, by_oid, column, what)) = CATALOGS.iter().find(|(catalog, ..)| *catalog == class) else {
        // PostgreSQL names a default by its table and column.
        let table = if class == DEFAULT { object } else { parts::table_of(class, object)? };
        let part = if class == REWRITE { "relation's rule" } else { "relation's definition" };
        return read(pg_sys::RelationRelationId, table).map(|owner| Temporary { what: part, ..owner });
    };
    let mut found = None;
    catalog::scan_now(catalog, by_oid, &[(OID, object)], |row| {
        if row.oid(column) == schema {
            found = noun(class, what, row).map(|what| Temporary { class, object, what });
        }
    });
    found
}

fn letter(row: Row, column: u32) -> u8 {
    row.get(column as AttrNumber).map_or(0, |datum| datum.value() as u8)
}

fn noun(class: Oid, what: &'static str, row: Row) -> Option<&'static str> {
    if class == pg_sys::RelationRelationId {
        return match letter(row, pg_sys::Anum_pg_class_relkind) {
            pg_sys::RELKIND_INDEX | pg_sys::RELKIND_PARTITIONED_INDEX | pg_sys::RELKIND_TOASTVALUE => None,
            pg_sys::RELKIND_VIEW => Some("view"),
            pg_sys::RELKIND_SEQUENCE => Some("sequence"),
            pg_sys::RELKIND_COMPOSITE_TYPE => Some("type"),
            _ => Some("table"),
        };
    }
    let is_domain = class == TYPE && letter(row, pg_sys::Anum_pg_type_typtype) == pg_sys::TYPTYPE_DOMAIN;
    Some(if is_domain { "domain" } else { what })
}

/// Whether the object goes when these tables are dropped with CASCADE.
pub fn goes_with(class: Oid, object: Oid, tables: &[Oid]) -> bool {
    let mut seen = vec![(class, object)];
    let mut at = 0;
    while let Some(&(class, object)) = seen.get(at) {
        at += 1;
        if class == pg_sys::RelationRelationId {
            if tables.contains(&object) {
                return true;
            }
            // A view goes with what its rule reads.
            for rule in parts::rules_of(object) {
                note(&mut seen, (REWRITE, rule));
            }
        }
        let keys = [(depend::CLASSID, class), (depend::OBJID, object)];
        catalog::scan_now(depend::CATALOG, depend::BY_DEPENDER, &keys, |row| {
            note(&mut seen, (row.oid(depend::REFCLASSID), row.oid(depend::REFOBJID)));
        });
    }
    false
}

/// Schemas, owners and extensions lead nowhere.
fn note(seen: &mut Vec<(Oid, Oid)>, (class, object): (Oid, Oid)) {
    let may_lead = class == REWRITE || CATALOGS.iter().any(|(catalog, ..)| *catalog == class);
    if may_lead && !seen.contains(&(class, object)) {
        seen.push((class, object));
    }
}

/// A temporary relation or type, or one of `types`, whose name something else has too: unqualified, the name means the
/// temporary one. `asked` says which classes to look at. Functions, operators and the rest are never looked for in the
/// temporary schema. Both names, as SQL writes them.
pub fn in_front_of_another(types: &[Oid], asked: impl Fn(Oid) -> bool) -> Option<(String, String)> {
    let schema = schema()?;
    let mut mine: Vec<(Oid, Oid)> = types.iter().map(|&of| (TYPE, of)).collect();
    let keys = [(depend::REFCLASSID, NAMESPACE), (depend::REFOBJID, schema)];
    catalog::scan_now(depend::CATALOG, depend::BY_REFERENCED, &keys, |row| {
        mine.push((row.oid(depend::CLASSID), row.oid(depend::OBJID)));
    });
    mine.into_iter().filter(|&(class, _)| asked(class)).find_map(|(class, object)| {
        let temporary = read(class, object)?;
        let name = name_of(class, object)?;
        // A table is a type as well; a sequence is not.
        let as_type = temporary.what != "sequence";
        let places = BY_NAME.iter().filter(|(of, ..)| *of == class || (*of == TYPE && as_type));
        for &(catalog, by_name, namespace, what) in places {
            let mut other = None;
            catalog::scan_named(catalog, by_name, NAME, &name, |row| {
                let stands_in = row.oid(namespace);
                if stands_in != TOAST_SCHEMA && !is_temporary(stands_in) {
                    other = Some(stands_in);
                }
            });
            if let Some(other) = other {
                let (schema, name) = (relation::schema_name(other), name.quoted());
                return Some((format!("{} pg_temp.{name}", temporary.what), format!("{what} {schema}.{name}")));
            }
        }
        None
    })
}

/// The name of a relation or a type.
fn name_of(class: Oid, object: Oid) -> Option<Name> {
    let &(catalog, by_oid, ..) = CATALOGS[..2].iter().find(|(catalog, ..)| *catalog == class)?;
    let mut name = None;
    catalog::scan_now(catalog, by_oid, &[(OID, object)], |row| name = row.name(NAME));
    name
}

/// Whether the type is the multirange of a range: it alone can stand in another schema than what it belongs to.
pub fn is_multirange(class: Oid, object: Oid) -> bool {
    let mut found = false;
    if class == TYPE {
        catalog::scan_now(TYPE, CATALOGS[1].1, &[(OID, object)], |row| {
            found = letter(row, pg_sys::Anum_pg_type_typtype) == pg_sys::TYPTYPE_MULTIRANGE;
        });
    }
    found
}

fn is_temporary(schema: Oid) -> bool {
    // SAFETY: a syscache lookup.
    unsafe { pg_sys::isAnyTempNamespace(schema) }
}
