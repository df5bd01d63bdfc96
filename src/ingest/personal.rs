//! Blanking personal data in text that is kept for a person to read: the buyer's IP address, referer and user agent.

/// What stands in the place of a blanked value.
const BLANK: &str = "(blanked)";
/// The fields that are blanked, whatever they hold.
const FIELDS: &[&str] = &[
    "click_user_ip",
    "click_user_referer",
    "click_user_agent",
    "user_agent",
    "user_referer",
    "user_ip",
    // Links of a program's product feeds hold the account's export code.
    "xml_link",
    "csv_link",
];

/// The text without the values of the personal fields, and without anything that looks like an IP address.
///
/// It need not be sound JSON: a value whose end is missing is blanked to the end of the text. Addresses are blanked
/// wherever they stand, because a damaged record may have lost the name of the field.
#[must_use]
pub fn blank_personal_data(raw_text: &str) -> String {
    blank_addresses(&blank_fields(raw_text))
}

fn blank_fields(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let value = key_at(text, at).and_then(|after| value_start(bytes, after));
        let Some(value) = value else {
            at += 1;
            continue;
        };
        let end = value_end(bytes, value);
        out.push_str(text.get(from..value).unwrap_or_default());
        let is_nothing = text
            .get(value..end)
            .is_some_and(|value| matches!(value.trim(), "" | "null" | "\"\""));
        if is_nothing {
            out.push_str(text.get(value..end).unwrap_or_default());
        } else {
            out.push('"');
            out.push_str(BLANK);
            out.push('"');
        }
        from = end;
        at = end.max(at + 1);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The place behind a personal field's name that stands at `at`, in any case and also with `\u005f` for `_`.
fn key_at(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    if !rest
        .first()
        .is_some_and(|byte| matches!(byte.to_ascii_lowercase(), b'c' | b'u' | b'x' | b'\\'))
    {
        return None;
    }
    FIELDS
        .iter()
        .find_map(|field| spelled(rest, field.as_bytes()).map(|length| at + length))
}

/// How many bytes spell the name, each character plainly or as a `\u` escape.
fn spelled(bytes: &[u8], name: &[u8]) -> Option<usize> {
    let mut at = 0;
    for wanted in name {
        let byte = *bytes.get(at)?;
        if byte.eq_ignore_ascii_case(wanted) {
            at += 1;
        } else if byte == b'\\' && matches!(bytes.get(at + 1), Some(b'u' | b'U')) {
            let digits = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
            let code = u8::from_str_radix(digits, 16).ok()?;
            if !code.eq_ignore_ascii_case(wanted) {
                return None;
            }
            at += 6;
        } else {
            return None;
        }
    }
    Some(at)
}

/// Where the value begins behind a name: past quotes, blanks and the colon (or `=`). None where no value follows.
fn value_start(bytes: &[u8], after: usize) -> Option<usize> {
    let mut at = after;
    let mut separated = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b':' | b'=' if !separated => separated = true,
            b'"' | b'\'' | b'\\' if !separated => {}
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if separated => return Some(at),
            _ => return None,
        }
        at += 1;
    }
    None
}

/// Where a value ends: a text with its quote (or the end of everything), a list or object with its last bracket,
/// anything else before a comma, a bracket or the end of the line.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_u32;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = text_end(bytes, at, *byte);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 1 => depth -= 1,
            b'}' | b']' => return at + usize::from(depth == 1),
            b',' | b'\n' | b'&' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn text_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Blanks runs of characters that are an IPv4 or IPv6 address.
fn blank_addresses(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let length = from.find(|c: char| !is_part(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(length);
        out.push_str(before);
        if is_address(run) {
            out.push_str(BLANK);
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a run of hexadecimal digits, colons and points holds an address.
fn is_address(run: &str) -> bool {
    let colons = run.bytes().filter(|byte| *byte == b':').count();
    let digits = run.bytes().any(|byte| byte.is_ascii_hexdigit());
    if digits && (colons >= 6 || run.contains("::")) {
        return true;
    }
    let mut bytes = 0;
    for part in run.split(['.', ':']) {
        // Letters may cling to the first and the last number: the run is cut at characters, not at words.
        let number = part.trim_matches(|c: char| c.is_ascii_alphabetic());
        let fits = !number.is_empty() && number.len() <= 3 && number.parse::<u8>().is_ok();
        bytes = if fits { bytes + 1 } else { 0 };
        if bytes == 4 && run.contains('.') {
            return run.bytes().filter(|byte| *byte == b'.').count() >= 3;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_blanked_and_the_rest_stays() {
        for (before, after) in [
            (
                r#"{"id":1,"click_user_ip":"1.2.3.4","x":2}"#,
                r#"{"id":1,"click_user_ip":"(blanked)","x":2}"#,
            ),
            (
                r#"{"click_user_ip" : null, "a":1}"#,
                r#"{"click_user_ip" : null, "a":1}"#,
            ),
            (
                r#"{"CLICK_USER_REFERER":"https:\/\/a.example\/\"x\"","b":1}"#,
                r#"{"CLICK_USER_REFERER":"(blanked)","b":1}"#,
            ),
            (
                r#"{"user_agent":"Mozilla/5.0 (X11"#,
                r#"{"user_agent":"(blanked)""#,
            ),
            (
                r#"{"click_user_ip":["10.0.0.1",{"a":"b"}],"c":3}"#,
                r#"{"click_user_ip":"(blanked)","c":3}"#,
            ),
            (
                r#"{"click\u005fuser_ip":"10.0.0.1"}"#,
                r#"{"click\u005fuser_ip":"(blanked)"}"#,
            ),
            (
                "{'click_user_ip': '10.0.0.1', 'z': 1}",
                "{'click_user_ip': \"(blanked)\", 'z': 1}",
            ),
            (
                "click_user_ip=10.0.0.1&subid=x",
                "click_user_ip=\"(blanked)\"&subid=x",
            ),
            (
                "from 192.168.100.200 and 2001:db8::7 too",
                "from (blanked) and (blanked) too",
            ),
            (
                "at 2024-03-05 13:30:00 for 31.50",
                "at 2024-03-05 13:30:00 for 31.50",
            ),
        ] {
            assert_eq!(blank_personal_data(before), after);
        }
    }

    proptest! {
        #[test]
        fn an_address_never_survives(
            ip in (1u8..=255, 0u8..=255, 0u8..=255, 1u8..=255),
            cut in 0usize..200,
            at in 0usize..200,
            junk in "[ -~]{0,3}",
        ) {
            let ip = format!("{}.{}.{}.{}", ip.0, ip.1, ip.2, ip.3);
            let mut text = format!(
                r#"{{"id":1,"subid":"tg","click_user_ip":"{ip}","click_user_referer":"https://example.org/{ip}/x","user_agent":"UA {ip}","comment":"{ip}"}}"#
            );
            text.insert_str(at.min(text.len()), &junk);
            text.truncate(text.len().saturating_sub(cut));
            prop_assert!(!blank_personal_data(&text).contains(&ip) || junk.contains(|c: char| c.is_ascii_hexdigit() || ".:".contains(c)));
        }

        #[test]
        fn any_text_is_taken(text in ".{0,200}") {
            let _ = blank_personal_data(&text);
        }

        #[test]
        fn a_referer_never_survives(path in "[a-z]{12}", cut in 0usize..60) {
            let mut text = format!(r#"{{"id":1,"click_user_referer":"https://secret.example/{path}","x":1,"y":"zzzzzzzz"}}"#);
            text.truncate(text.len().saturating_sub(cut));
            prop_assert!(!blank_personal_data(&text).contains(&path));
        }
    }
}
