//! What an answer discloses of the other tenant.

use http::Response;
use serde_json::Value;

use crate::caller::Caller;

/// From this length on a text that stands in an answer by chance is not to be feared.
const DISTINCTIVE: usize = 8;

/// The first thing of the tenant's that the answer holds: a marker anywhere, and in a list (of projects, …) an id.
pub(super) fn discloses(answer: &Response<Vec<u8>>, whose: &Caller, list: Option<&str>) -> Option<String> {
    let body = String::from_utf8_lossy(answer.body());
    let headers = || answer.headers().values().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let json = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
    let holds = |text: &str| body.contains(text) || says(&json, text) || headers().any(|value| value.contains(text));
    let marker = whose.markers.iter().find(|marker| holds(marker)).map(|marker| format!("marker {marker:?}"));
    marker.or_else(|| {
        let list = list?;
        let has = |name: &str, id: &str| {
            let member = |key: &str| is_called(key, name, list);
            (id.len() >= DISTINCTIVE && holds(id)) || names(&json, "id", &member, id)
        };
        let id = whose.ids.iter().find(|(name, id)| has(name, id));
        id.map(|(name, id)| format!("{name} {id}"))
    })
}

/// Whether a text in it holds this one, however JSON has written that.
fn says(json: &Value, text: &str) -> bool {
    match json {
        Value::Array(values) => values.iter().any(|value| says(value, text)),
        Value::Object(members) => members.iter().any(|(key, value)| key.contains(text) || says(value, text)),
        Value::String(value) => value.contains(text),
        Value::Number(_) | Value::Bool(_) | Value::Null => false,
    }
}

/// Whether a member that is called like this id has it.
fn names(json: &Value, key: &str, is_called: &dyn Fn(&str) -> bool, id: &str) -> bool {
    match json {
        Value::Array(values) => values.iter().any(|value| names(value, key, is_called, id)),
        Value::Object(members) => members.iter().any(|(key, value)| names(value, key, is_called, id)),
        Value::String(text) => text == id && is_called(key),
        Value::Number(number) => number.to_string() == id && is_called(key),
        Value::Bool(_) | Value::Null => false,
    }
}

/// Whether a member of this name holds ids of this name: `project`, `projects`, `project_id`, `projectIds`; `id` in a
/// list of them, where another list has ids of another kind.
fn is_called(key: &str, name: &str, list: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "");
    let (key, name) = (plain(key), plain(name));
    let of_it = |rest: &str| matches!(rest, "" | "s" | "id" | "ids");
    key.strip_prefix(&*name).is_some_and(of_it) || (matches!(&*key, "id" | "ids") && plain(list).starts_with(&*name))
}

/// How one answer differs from another, if it does. The ids that were asked for may stand in either.
pub(super) fn difference(
    one: (&Response<Vec<u8>>, &[String]),
    other: (&Response<Vec<u8>>, &[String]),
) -> Option<String> {
    let without = |(answer, ids): (&Response<Vec<u8>>, &[String])| {
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        ids.iter().fold(body, |body, id| body.replace(id, "{id}"))
    };
    if one.0.status() != other.0.status() {
        return Some(format!("{} and {}", one.0.status(), other.0.status()));
    }
    let (body, other_body) = (without(one), without(other));
    if body != other_body {
        return Some(format!("{:?} and {:?}", shortened(&body), shortened(&other_body)));
    }
    // Other headers have times and ids of requests in them.
    [http::header::CONTENT_TYPE, http::header::WWW_AUTHENTICATE, http::header::LOCATION]
        .into_iter()
        .find(|name| one.0.headers().get(name) != other.0.headers().get(name))
        .map(|name| format!("header {name}"))
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disclosed(body: &str, list: Option<&str>) -> Option<String> {
        let other = Caller::new("b").id("project", 7).id("file", "f00dcafe-1").marker("secret");
        discloses(&Response::new(body.as_bytes().to_vec()), &other, list)
    }

    #[test]
    fn a_short_id_counts_where_ids_stand() {
        for leak in [
            r#"[{"id": 7}]"#,
            r#"{"items": [{"project": "7"}]}"#,
            r#"{"project_id": 7}"#,
            r#"{"projectIds": [1, 7]}"#,
            "[7]",
            "see f00dcafe-1",
            "a secret",
            r#"{"note": "secret"}"#,
        ] {
            assert!(disclosed(leak, Some("projects")).is_some(), "{leak}");
        }
        for fine in [r#"[{"id": 17, "count": 7}]"#, r#"{"total": 7}"#, "7 projects", "", r#"{"id": 8}"#] {
            assert_eq!(disclosed(fine, Some("projects")), None, "{fine}");
        }
        assert_eq!(disclosed(r#"[{"id": 7}]"#, Some("tasks")), None, "a task");
        assert!(disclosed(r#"[{"id": 3, "project": 7}]"#, Some("tasks")).is_some(), "in a project");
        assert_eq!(disclosed(r#"[{"id": 7}]"#, None), None);
    }

    #[test]
    fn a_marker_counts_however_json_writes_it() {
        let other = Caller::new("b").marker("Ann's \"plan\"\n\u{e4}");
        for leak in [r#"["Ann's \"plan\"\n\u00e4"]"#, r#"{"a":{"b":"of Ann\u0027s \u0022plan\u0022\nä."}}"#] {
            assert!(discloses(&Response::new(leak.as_bytes().to_vec()), &other, None).is_some(), "{leak}");
        }
    }

    #[test]
    fn the_id_asked_for_makes_no_difference() {
        let answer = |body: &str| Response::new(body.as_bytes().to_vec());
        let ids = |id: &str| [id.to_owned()];
        let (one, other) = (answer("no project 7"), answer("no project 9"));
        assert_eq!(difference((&one, &ids("7")), (&other, &ids("9"))), None);
        assert!(difference((&one, &ids("7")), (&answer("forbidden"), &ids("9"))).is_some());
    }
}
