//! `key=value` pairs as libpq reads and writes them: values may be quoted, a backslash takes the next character as it
//! is.

use std::collections::BTreeMap;

/// The pairs; none where it cannot be read.
pub fn read(text: &str) -> Option<BTreeMap<String, String>> {
    let (mut pairs, mut rest) = (BTreeMap::new(), text.trim_start());
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let (value, after) = value(after.trim_start())?;
        pairs.insert(key.to_owned(), value);
        rest = after.trim_start();
    }
    Some(pairs)
}

fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            space if !quoted && space.is_whitespace() => return Some((value, &text[at..])),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, ""))
}

/// As one text, each value quoted.
pub fn written(pairs: &BTreeMap<String, String>) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    pairs.iter().map(|(key, value)| format!("{key}='{}' ", quoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::{read, written};

    #[test]
    fn written_pairs_are_read_again() {
        let pairs = read(r"host = db password='a b\'c\\' user=o\ x").unwrap();
        assert_eq!(pairs["password"], r"a b'c\");
        assert_eq!(pairs["user"], "o x");
        assert_eq!(read(&written(&pairs)), Some(pairs));
        assert_eq!(read("password='hunter2"), None);
        assert_eq!(read("host"), None);
    }
}
