//! A query of diesel's as text and values.
//!
//! diesel serializes values without waiting, and asks in between for the numbers of types that are not built in, which
//! only the server knows. So those are numbers of ours first, and the server's take their place later: in the types of
//! the parameters, and where a value (an array, a composite) holds the number of its elements' type. To find those
//! places the values are serialized twice, with other numbers the second time; what differs is a number. (diesel-async
//! does the same.)

use std::collections::HashMap;
use std::error::Error;

use bytes::BytesMut;
use diesel::QueryResult;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::result::Error as DieselError;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type};

/// A type by schema, if one was said, and name.
pub(crate) type TypeName = (Option<String>, String);

/// Its number, and that of arrays of it.
pub(crate) type Oids = (u32, u32);

pub(crate) struct Query {
    pub(crate) sql: String,
    values: Vec<Option<Vec<u8>>>,
    types: Vec<Oids>,
    /// The types that the server is to be asked about, with the numbers they have so far.
    pub(crate) unknown: HashMap<TypeName, Oids>,
    /// Where such a number stands: in which value, at which byte.
    places: Vec<(usize, usize)>,
}

/// A value as it is sent.
#[derive(Debug)]
pub(crate) struct Bind(Option<Vec<u8>>);

impl Query {
    pub(crate) fn of(query: &dyn QueryFragment<Pg>) -> QueryResult<Query> {
        let mut text = PgQueryBuilder::default();
        query.to_sql(&mut text, &Pg)?;
        let first = Collected::with(query, 0)?;
        if first.lookup.unknown.is_empty() {
            let Collected { values, types, .. } = first;
            return Ok(Query { sql: text.finish(), values, types, unknown: HashMap::new(), places: Vec::new() });
        }
        // Above every number that occurs, so that what differs can only be one of these.
        let most = first.types.iter().flat_map(|(of, array)| [*of, *array]).max().unwrap_or_default();
        let second = Collected::with(query, most.max(1 << 30) + 1)?;
        let places = places(&first, &second);
        let Collected { values, types, lookup } = second;
        Ok(Query { sql: text.finish(), values, types, unknown: lookup.unknown, places })
    }

    /// Puts the server's numbers in the place of ours.
    pub(crate) fn resolve(&mut self, known: &HashMap<TypeName, Oids>) {
        let mut real = HashMap::new();
        for (name, (of, array)) in &self.unknown {
            if let Some((real_of, real_array)) = known.get(name) {
                real.extend([(*of, *real_of), (*array, *real_array)]);
            }
        }
        let real = |ours: u32| real.get(&ours).copied().unwrap_or(ours);
        for (of, array) in &mut self.types {
            (*of, *array) = (real(*of), real(*array));
        }
        for (value, at) in &self.places {
            let number =
                self.values.get_mut(*value).and_then(|value| value.as_mut()?.get_mut(*at..)?.first_chunk_mut::<4>());
            if let Some(number) = number {
                *number = real(u32::from_be_bytes(*number)).to_be_bytes();
            }
        }
    }

    /// The values and their types.
    pub(crate) fn binds(self) -> (String, Vec<Bind>, Vec<Type>) {
        let types = self.types.into_iter().map(|(of, _)| type_of(of)).collect();
        (self.sql, self.values.into_iter().map(Bind).collect(), types)
    }
}

/// One that the driver does not know needs no more than its number to be sent.
fn type_of(oid: u32) -> Type {
    Type::from_oid(oid).unwrap_or_else(|| Type::new(format!("type {oid}"), oid, Kind::Simple, String::new()))
}

/// The values of a query, serialized with these numbers for unknown types: 0 for all, or counted from `next` on.
struct Collected {
    values: Vec<Option<Vec<u8>>>,
    types: Vec<Oids>,
    lookup: Numbers,
}

impl Collected {
    fn with(query: &dyn QueryFragment<Pg>, next: u32) -> QueryResult<Collected> {
        let mut collector = RawBytesBindCollector::<Pg>::new();
        let mut lookup = Numbers { unknown: HashMap::new(), next };
        query.collect_binds(&mut collector, &mut lookup, &Pg)?;
        let oids = |of: &PgTypeMetadata| Ok((of.oid().map_err(failed)?, of.array_oid().map_err(failed)?));
        let types = collector.metadata.iter().map(oids).collect::<QueryResult<_>>()?;
        Ok(Collected { values: collector.binds, types, lookup })
    }
}

fn failed(error: impl Error + Send + Sync + 'static) -> DieselError {
    DieselError::SerializationError(Box::new(error))
}

struct Numbers {
    unknown: HashMap<TypeName, Oids>,
    next: u32,
}

impl PgMetadataLookup for Numbers {
    fn lookup_type(&mut self, type_name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let next = &mut self.next;
        let oids =
            self.unknown.entry((schema.map(str::to_owned), type_name.to_owned())).or_insert_with(|| match *next {
                0 => (0, 0),
                first => {
                    *next += 2;
                    (first, first + 1)
                }
            });
        PgTypeMetadata::from_result(Ok(*oids))
    }
}

/// Where the first run wrote 0 and the second one of its numbers, in values whose own type is one of them.
fn places(first: &Collected, second: &Collected) -> Vec<(usize, usize)> {
    let ours = |number: &[u8]| {
        let number = u32::from_be_bytes([number[0], number[1], number[2], number[3]]);
        second.lookup.unknown.values().any(|(of, array)| number == *of || number == *array)
    };
    let mut places = Vec::new();
    for (value, ((zeros, numbers), (of, _))) in first.values.iter().zip(&second.values).zip(&first.types).enumerate() {
        if let (0, Some(zeros), Some(numbers)) = (of, zeros, numbers) {
            let both = zeros.windows(4).zip(numbers.windows(4)).enumerate();
            places
                .extend(both.filter(|(_, (zero, number))| *zero == [0; 4] && ours(number)).map(|(at, _)| (value, at)));
        }
    }
    places
}

impl ToSql for Bind {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    /// It is sent with the type that diesel has serialized it for.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}
