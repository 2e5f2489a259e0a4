//! JSON as OpenFeature's values.

use open_feature::{StructValue, Value as FlagValue};
use serde_json::{Map, Value};

/// An object; none for another value.
pub(super) fn structure(value: &Value) -> Option<StructValue> {
    value.as_object().map(fields)
}

fn fields(object: &Map<String, Value>) -> StructValue {
    StructValue { fields: object.iter().filter_map(|(name, value)| Some((name.clone(), flag(value)?))).collect() }
}

/// OpenFeature has no null: such fields and elements are left out.
fn flag(value: &Value) -> Option<FlagValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(on) => FlagValue::Bool(*on),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => FlagValue::Int(integer),
            None => FlagValue::Float(number.as_f64()?),
        },
        Value::String(text) => FlagValue::String(text.clone()),
        Value::Array(values) => FlagValue::Array(values.iter().filter_map(flag).collect()),
        Value::Object(object) => FlagValue::Struct(fields(object)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_null_leaves_it_out() {
        let json = serde_json::json!({"a": null, "b": [1, null, "x"], "c": {"d": 1.5, "e": true}});
        let found = structure(&json).unwrap();
        assert_eq!(found.fields.len(), 2);
        let list = FlagValue::Array(vec![FlagValue::Int(1), FlagValue::String("x".into())]);
        assert_eq!(found.fields["b"], list);
        let FlagValue::Struct(inner) = &found.fields["c"] else { panic!("{found:?}") };
        assert_eq!((&inner.fields["d"], &inner.fields["e"]), (&FlagValue::Float(1.5), &FlagValue::Bool(true)));
        assert!(structure(&serde_json::json!([1])).is_none());
    }
}
