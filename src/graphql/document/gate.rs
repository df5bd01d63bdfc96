//! The gate before every parse: reads a document's bytes once, without recursion, into tokens, and refuses what is too long, too deep
//! or not GraphQL text. Grammar is in `parse`.

use async_graphql::Pos;

use super::DocumentLimits;
use super::error::{LIMIT_EXCEEDED, PARSE_FAILED, Passed, RequestError, shown};

/// One token with the place where it begins.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) pos: Pos,
    pub(super) kind: Kind<'t>,
}

/// What a token is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// One of `! $ & ( ) : = @ [ ] { | }`.
    Mark(u8),
    /// `...`
    Spread,
    Name(&'t str),
    Int(&'t str),
    Float(&'t str),
    /// A string or block string, escapes resolved.
    Text(String),
    End,
}

impl Kind<'_> {
    /// The token as a message may repeat it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Mark(mark) => format!("\"{}\"", char::from(*mark)),
            Self::Spread => "\"...\"".to_owned(),
            Self::Name(text) => format!("the name \"{}\"", shown(text)),
            Self::Int(text) | Self::Float(text) => format!("the number {}", shown(text)),
            Self::Text(_) => "a string".to_owned(),
            Self::End => "the end of the document".to_owned(),
        }
    }
}

/// Reads `text` into tokens, the last of them [`Kind::End`].
///
/// # Errors
/// `LIMIT_EXCEEDED` above the limits on bytes, tokens or nesting, `GRAPHQL_PARSE_FAILED` for anything that is no token.
pub(super) fn tokens<'t>(
    text: &'t str,
    limits: &DocumentLimits,
) -> Result<Vec<Token<'t>>, RequestError> {
    if text.len() > limits.bytes {
        return Err(RequestError::whole(
            LIMIT_EXCEEDED,
            format!(
                "The document has {} bytes, the limit is {}. Use variables for long values, or split the document.",
                text.len(),
                limits.bytes
            ),
        )
        .passing(Passed::of("documentBytes", limits.bytes, text.len())));
    }
    let mut gate = Gate {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        column: 1,
        counted: 0,
    };
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    loop {
        let token = gate.next()?;
        match token.kind {
            Kind::Mark(b'{' | b'[' | b'(') => depth += 1,
            Kind::Mark(b'}' | b']' | b')') => depth = depth.saturating_sub(1),
            Kind::End => {
                tokens.push(token);
                return Ok(tokens);
            }
            _ => {}
        }
        if depth > limits.nesting() {
            return Err(RequestError::at(
                LIMIT_EXCEEDED,
                token.pos,
                format!(
                    "Brackets are nested deeper than {} levels. Ask for less at once, or move values into variables.",
                    limits.nesting()
                ),
            )
            .passing(Passed::of("documentNesting", limits.nesting(), depth)));
        }
        if tokens.len() >= limits.tokens {
            return Err(RequestError::at(
                LIMIT_EXCEEDED,
                token.pos,
                format!(
                    "The document has more than {} tokens. Use fragments and variables, or split the document.",
                    limits.tokens
                ),
            )
            .passing(Passed::of("documentTokens", limits.tokens, limits.tokens + 1)));
        }
        tokens.push(token);
    }
}

struct Gate<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Line and column of the byte `counted`, which is never after `at`.
    line: usize,
    column: usize,
    counted: usize,
}

impl<'t> Gate<'t> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn ended(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The place of byte `to`, counted on from the last place asked for, so that a document is counted once.
    fn place(&mut self, to: usize) -> Pos {
        while self.counted < to {
            let byte = self.bytes[self.counted];
            let next = self.bytes.get(self.counted + 1);
            if byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')) {
                self.line += 1;
                self.column = 1;
            } else if byte != b'\r' && byte & 0xC0 != 0x80 {
                self.column += 1;
            }
            self.counted += 1;
        }
        Pos {
            line: self.line,
            column: self.column,
        }
    }

    fn fail(&mut self, at: usize, message: impl Into<String>) -> RequestError {
        let pos = self.place(at);
        RequestError::at(
            PARSE_FAILED,
            pos,
            format!("Syntax error: {}", message.into()),
        )
    }

    fn skip_ignored(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b',' | b'\n' | b'\r' => self.at += 1,
                0xEF if self.text[self.at..].starts_with('\u{feff}') => self.at += 3,
                b'#' => {
                    while !self.ended() && !matches!(self.peek(0), b'\n' | b'\r') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Result<Token<'t>, RequestError> {
        self.skip_ignored();
        let start = self.at;
        let pos = self.place(start);
        let kind = match self.peek(0) {
            _ if self.ended() => Kind::End,
            mark @ (b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{'
            | b'|' | b'}') => {
                self.at += 1;
                Kind::Mark(mark)
            }
            b'.' if self.peek(1) == b'.' && self.peek(2) == b'.' => {
                self.at += 3;
                Kind::Spread
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                while is_name(self.peek(0)) {
                    self.at += 1;
                }
                Kind::Name(&self.text[start..self.at])
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'"' if self.peek(1) == b'"' && self.peek(2) == b'"' => self.block()?,
            b'"' => self.string()?,
            _ => {
                let found = self.text[start..].chars().next().unwrap_or(' ');
                let found = shown(&found.to_string());
                return Err(self.fail(start, format!("unexpected character \"{found}\".")));
            }
        };
        Ok(Token { pos, kind })
    }

    fn number(&mut self) -> Result<Kind<'t>, RequestError> {
        let start = self.at;
        let mut float = false;
        if self.peek(0) == b'-' {
            self.at += 1;
        }
        if self.peek(0) == b'0' {
            self.at += 1;
            if self.peek(0).is_ascii_digit() {
                return Err(self.fail(self.at, "a number may not begin with 0."));
            }
        } else {
            self.digits()?;
        }
        if self.peek(0) == b'.' {
            float = true;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(0), b'e' | b'E') {
            float = true;
            self.at += 1;
            if matches!(self.peek(0), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.peek(0) == b'.' || is_name(self.peek(0)) {
            return Err(self.fail(self.at, "a number must end before a name or a dot."));
        }
        let text = &self.text[start..self.at];
        Ok(if float {
            Kind::Float(text)
        } else {
            Kind::Int(text)
        })
    }

    fn digits(&mut self) -> Result<(), RequestError> {
        if !self.peek(0).is_ascii_digit() {
            return Err(self.fail(self.at, "a digit is missing in a number."));
        }
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Kind<'t>, RequestError> {
        self.at += 1;
        let mut out = String::new();
        let mut run = self.at;
        loop {
            match self.peek(0) {
                b'"' => {
                    out.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    return Ok(Kind::Text(out));
                }
                b'\\' => {
                    out.push_str(&self.text[run..self.at]);
                    out.push(self.escape()?);
                    run = self.at;
                }
                _ if self.ended() => return Err(self.fail(self.at, "a string is not closed.")),
                b'\n' | b'\r' => return Err(self.fail(self.at, "a string is not closed.")),
                _ => self.at += 1,
            }
        }
    }

    /// Reads one escape, from its backslash on.
    fn escape(&mut self) -> Result<char, RequestError> {
        let start = self.at;
        let simple = match self.peek(1) {
            quoted @ (b'"' | b'\\' | b'/') => Some(char::from(quoted)),
            b'b' => Some('\u{8}'),
            b'f' => Some('\u{c}'),
            b'n' => Some('\n'),
            b'r' => Some('\r'),
            b't' => Some('\t'),
            _ => None,
        };
        if let Some(simple) = simple {
            self.at += 2;
            return Ok(simple);
        }
        let read = match (self.peek(1), self.peek(2)) {
            (b'u', b'{') => self.braced(),
            (b'u', _) => self.four_digits(),
            _ => None,
        };
        read.ok_or_else(|| self.fail(start, "an escape in a string is not valid."))
    }

    /// `\u{1F600}`: one to eight hexadecimal digits.
    fn braced(&mut self) -> Option<char> {
        let digits = &self.text.as_bytes()[self.at + 3..];
        let length = digits.iter().take(9).position(|byte| *byte == b'}')?;
        let code = hex(&digits[..length])?;
        self.at += 4 + length;
        char::from_u32(code)
    }

    /// `\u00E9`, or a pair of surrogates `\uD83D\uDE00`.
    fn four_digits(&mut self) -> Option<char> {
        let high = hex(self.bytes.get(self.at + 2..self.at + 6)?)?;
        self.at += 6;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if self.peek(0) != b'\\' || self.peek(1) != b'u' {
            return None;
        }
        let low = hex(self.bytes.get(self.at + 2..self.at + 6)?)?;
        if !(0xDC00..0xE000).contains(&low) {
            return None;
        }
        self.at += 6;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn block(&mut self) -> Result<Kind<'t>, RequestError> {
        self.at += 3;
        let mut raw = String::new();
        let mut run = self.at;
        loop {
            if self.ended() {
                return Err(self.fail(self.at, "a block string is not closed."));
            }
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"\"\"\"") {
                raw.push_str(&self.text[run..self.at]);
                self.at += 3;
                return Ok(Kind::Text(unindented(&raw)));
            }
            if rest.starts_with(b"\\\"\"\"") {
                raw.push_str(&self.text[run..self.at]);
                raw.push_str("\"\"\"");
                self.at += 4;
                run = self.at;
            } else {
                self.at += 1;
            }
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The value of one to eight hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit)
    })
}

/// A block string without its common indentation and without blank lines at both ends, as the specification's `BlockStringValue`.
fn unindented(raw: &str) -> String {
    let unified = raw.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = unified.split('\n').collect();
    let indent_of = |line: &str| {
        line.bytes()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count()
    };
    let blank = |line: &str| indent_of(line) == line.len();
    let common = lines
        .iter()
        .skip(1)
        .filter(|line| !blank(line))
        .map(|line| indent_of(line))
        .min()
        .unwrap_or(0);
    let first = lines.iter().position(|line| !blank(line));
    let last = lines.iter().rposition(|line| !blank(line));
    let (Some(first), Some(last)) = (first, last) else {
        return String::new();
    };
    let kept: Vec<&str> = lines
        .iter()
        .enumerate()
        .take(last + 1)
        .skip(first)
        .map(|(index, line)| match index {
            0 => *line,
            _ => line.get(common.min(line.len())..).unwrap_or(""),
        })
        .collect();
    kept.join("\n")
}
