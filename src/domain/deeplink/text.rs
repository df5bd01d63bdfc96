//! Percent-encoding, there and back.

/// How often a text is decoded at most.
const DECODINGS: usize = 4;

/// Appends a text so that it stands for itself inside a parameter: everything but letters, digits and `-._~` is escaped,
/// byte by byte of its UTF-8.
pub(super) fn encode_into(link: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            link.push(char::from(byte));
        } else {
            link.push('%');
            for half in [byte >> 4, byte & 15] {
                let digit = DIGITS.get(usize::from(half));
                link.push(digit.map_or('0', |digit| char::from(*digit)));
            }
        }
    }
}

/// A target that was encoded more often than once, as it was before: what begins like `https%3A` is decoded until it
/// begins like an address. Any other text stays as it is.
pub(super) fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..DECODINGS {
        let trimmed = text.trim();
        let head = trimmed.get(..8).unwrap_or(trimmed).to_ascii_lowercase();
        let is_wrapped = head.starts_with("http%") || head.starts_with("https%");
        if !is_wrapped {
            break;
        }
        text = decode(trimmed);
    }
    text
}

/// Undoes one encoding; what is no escape stays, what is no UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = match (first, more) {
            (b'%', [high, low, behind @ ..]) => hex(*high)
                .zip(hex(*low))
                .map(|(high, low)| (high * 16 + low, behind)),
            _ => None,
        };
        let (byte, behind) = escaped.unwrap_or((*first, more));
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A text as messages repeat it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
