//! Texts that stand in logs and lists beside others: names, actors, reasons.

/// Whether the text reads as it is written: one line, in one direction, with nothing that cannot be seen.
///
/// Control characters, line and paragraph separators (U+2028, U+2029), marks that turn the direction (Unicode Standard
/// Annex 9), the byte order mark and the tag characters forge lines or hide what follows. The two joiners (U+200C,
/// U+200D) are letters of Persian and of Indic scripts, and stay.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| {
        c.is_control()
            || matches!(
                c,
                '\u{61c}'
                    | '\u{180e}'
                    | '\u{200b}'
                    | '\u{200e}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}'
                    | '\u{feff}'
                    | '\u{fff9}'..='\u{fffb}'
                    | '\u{e0000}'..='\u{e007f}'
            )
    })
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_of_the_world_are_plain() {
        for name in ["", "ann", "Zoë", "名前", "می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}🔧", "a b", "עברית"]
        {
            assert!(is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn what_forges_a_line_is_not() {
        for c in
            ['\0', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{200b}']
        {
            assert!(!is_plain(&format!("ann{c}")), "{c:?}");
        }
    }
}
