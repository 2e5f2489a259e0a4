//! JSON objects in which no name comes twice: of two claims with one name, one library reads the first, another the
//! last.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

/// The members of an object in their order, each name once.
pub(crate) struct Object(Vec<(String, Value)>);

impl Object {
    /// Reads the text of one object.
    pub(crate) fn parse(text: &[u8]) -> Option<Object> {
        serde_json::from_slice(text).ok()
    }

    /// The member, where it is there and not null.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, value)| key == name && !value.is_null()).map(|(_, value)| value)
    }

    /// Whether the name is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The member that must be a text if it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ()> {
        match self.member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(()),
        }
    }

    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.iter_mut().filter_map(|(_, value)| if let Value::String(text) = value { Some(text) } else { None })
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    // Quadratic, so bounded.
                    if members.len() == 256 || members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("a name comes twice, or there are too many"));
                    }
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn a_name_is_read_twice() {
        assert!(Object::parse(br#"{"sub":"a","tenant_id":"b"}"#).is_some());
        for text in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "[]", "{} {}", r#""a""#, "", "{\"a\":1,}", "\u{feff}{}"]
        {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Object::parse(&[b"[".as_slice()].repeat(10_000).concat()).is_none(), "nested without end");
        let many = (0..300).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(",");
        assert!(Object::parse(format!("{{{many}}}").as_bytes()).is_none());
    }
}
