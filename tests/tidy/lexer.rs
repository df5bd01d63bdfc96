//! Rust text as tokens, without comments, strings and test code. No syntax tree: the rules need
//! names, `::` and brackets, and nothing else.

/// A name, a number, `::` or one other sign; a string is kept as `""`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The text as written.
    pub(crate) text: String,
    /// Line, from 1.
    pub(crate) line: usize,
}

impl Token {
    /// Is it a name or a keyword?
    pub(crate) fn is_name(&self) -> bool {
        self.text
            .starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// What is left of a file when its tests are taken out.
#[derive(Debug, Default)]
pub(crate) struct Code {
    /// The tokens outside tests.
    pub(crate) tokens: Vec<Token>,
    /// How many lines belong to tests.
    pub(crate) test_lines: usize,
    /// Modules in files of their own that are compiled for tests only.
    pub(crate) test_modules: Vec<String>,
    /// The whole file is compiled for tests only.
    pub(crate) all_test: bool,
}

/// Reads a file and takes its tests out.
pub(crate) fn read(text: &str) -> Code {
    let tokens = tokens(text);
    let mut code = Code::default();
    let mut at = 0;
    while at < tokens.len() {
        let Some(after) = test_attribute(&tokens[at..]) else {
            code.tokens.push(tokens[at].clone());
            at += 1;
            continue;
        };
        if tokens[at + 1].text == "!" {
            code.all_test = true;
            code.tokens.clear();
            return code;
        }
        let start = at + after;
        let end = start + item_length(&tokens[start..]);
        let item: Vec<&str> = tokens[start..end]
            .iter()
            .map(|token| token.text.as_str())
            .collect();
        if let Some(name) = file_module(&item) {
            code.test_modules.push(name.to_owned());
        }
        let last = tokens[..end].last().map_or(0, |token| token.line);
        code.test_lines += last + 1 - tokens[at].line;
        at = end;
    }
    code
}

/// The name in `mod name;`, whatever stands before it.
fn file_module<'a>(item: &[&'a str]) -> Option<&'a str> {
    match item {
        [.., "mod", name, ";"] => Some(name),
        _ => None,
    }
}

/// The length of `#[cfg(test)]` or `#[cfg(all(test, …))]` at the start, with or without `!`.
fn test_attribute(tokens: &[Token]) -> Option<usize> {
    let mut words = tokens
        .iter()
        .map(|token| token.text.as_str())
        .enumerate()
        .peekable();
    words.next_if(|(_, word)| *word == "#")?;
    words.next_if(|(_, word)| *word == "!");
    for wanted in ["[", "cfg", "("] {
        words.next_if(|(_, word)| *word == wanted)?;
    }
    if words.next_if(|(_, word)| *word == "all").is_some() {
        words.next_if(|(_, word)| *word == "(")?;
    }
    words.next_if(|(_, word)| *word == "test")?;
    words.find(|(_, word)| *word == "]").map(|(at, _)| at + 1)
}

/// How many tokens the item takes that stands here, with its further attributes.
fn item_length(tokens: &[Token]) -> usize {
    const BY_BRACE: &[&str] = &[
        "fn",
        "impl",
        "mod",
        "struct",
        "enum",
        "trait",
        "macro_rules",
        "union",
    ];
    const BY_SEMICOLON: &[&str] = &["use", "const", "static", "type", "let", "extern"];
    let mut depth = 0_usize;
    let mut kind = None;
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text.as_str();
        if depth == 0 && BY_BRACE.contains(&word) && kind != Some(false) {
            kind = Some(true); // also `const fn` and `extern "C" fn`
        } else if depth == 0 && BY_SEMICOLON.contains(&word) && kind.is_none() {
            let fn_follows = tokens[at..].iter().take(6).any(|next| next.text == "fn");
            kind = (!fn_follows).then_some(false);
        }
        match word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return at, // the last field of something larger
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 && word == "}" && kind != Some(false) {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            "," if depth == 0 && kind.is_none() => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// All tokens of a text.
fn tokens(text: &str) -> Vec<Token> {
    let mut scan = Scan {
        chars: text.chars().collect(),
        at: 0,
        line: 1,
    };
    let mut out = Vec::new();
    while let Some(c) = scan.peek(0) {
        let line = scan.line;
        let start = scan.at;
        let text = match c {
            '/' if scan.peek(1) == Some('/') => {
                scan.skip_while(|c| c != '\n');
                continue;
            }
            '/' if scan.peek(1) == Some('*') => {
                scan.block_comment();
                continue;
            }
            '"' => {
                scan.string();
                "\"\"".to_owned()
            }
            '\'' => {
                scan.quote();
                continue;
            }
            '_' | 'a'..='z' | 'A'..='Z' => {
                if scan.prefixed_string() {
                    "\"\"".to_owned()
                } else {
                    scan.skip_while(|c| c == '_' || c.is_alphanumeric());
                    scan.since(start)
                }
            }
            '0'..='9' => {
                scan.number();
                scan.since(start)
            }
            ':' if scan.peek(1) == Some(':') => {
                scan.step(2);
                "::".to_owned()
            }
            c if c.is_whitespace() => {
                scan.step(1);
                continue;
            }
            c => {
                scan.step(1);
                c.to_string()
            }
        };
        out.push(Token { text, line });
    }
    out
}

/// A place in a text.
struct Scan {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Scan {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn step(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at = (self.at + 1).min(self.chars.len());
        }
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&keep) {
            self.step(1);
        }
    }

    fn since(&self, start: usize) -> String {
        self.chars[start..self.at].iter().collect()
    }

    /// `/* … */`, which nest in Rust.
    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.step(2);
                }
                ('*', Some('/')) => {
                    depth -= 1;
                    self.step(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.step(1),
            }
        }
    }

    /// `"…"` with its escapes.
    fn string(&mut self) {
        self.step(1);
        while let Some(c) = self.peek(0) {
            self.step(if c == '\\' { 2 } else { 1 });
            if c == '"' {
                return;
            }
        }
    }

    /// A character or a lifetime.
    fn quote(&mut self) {
        if self.peek(1) == Some('\\') {
            self.step(3);
            self.skip_while(|c| c != '\'');
            self.step(1);
        } else if self.peek(2) == Some('\'') {
            self.step(3);
        } else {
            self.step(1);
            self.skip_while(|c| c == '_' || c.is_alphanumeric());
        }
    }

    /// `b"…"`, `c"…"`, `r"…"`, `br#"…"#`, `b'…'`; a raw name (`r#type`) is not one.
    fn prefixed_string(&mut self) -> bool {
        let mut ahead = 0;
        let mut raw = false;
        while let Some(c @ ('b' | 'c' | 'r')) = self.peek(ahead) {
            raw |= c == 'r';
            ahead += 1;
            if ahead > 2 {
                return false;
            }
        }
        if ahead == 0 {
            return false;
        }
        if !raw && self.peek(ahead) == Some('\'') && self.peek(0) == Some('b') {
            self.step(ahead);
            self.quote();
            return true;
        }
        let mut hashes = 0;
        while raw && self.peek(ahead + hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(ahead + hashes) != Some('"') {
            return false;
        }
        self.step(ahead + hashes);
        if !raw {
            self.string();
            return true;
        }
        self.step(1);
        while let Some(c) = self.peek(0) {
            self.step(1);
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.step(hashes);
                return true;
            }
        }
        true
    }

    /// `1_000`, `0xff`, `1.5e3`, `2f64`; the dot of a range or a method is not part of it.
    fn number(&mut self) {
        self.skip_while(|c| c == '_' || c.is_alphanumeric());
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|c| c.is_ascii_digit()) {
            self.step(1);
            self.skip_while(|c| c == '_' || c.is_alphanumeric());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let words: Vec<String> = read(text)
            .tokens
            .into_iter()
            .map(|token| token.text)
            .collect();
        words.join(" ")
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        assert_eq!(words("a // crate::x\nb /* c /* d */ e */ f"), "a b f");
        assert_eq!(
            words(r##"a("x \" crate::y", r#"q " z"#, b"k", br"l", c"m") n"##),
            r#"a ( "" , "" , "" , "" , "" ) n"#
        );
        let literals = r"x: &'static str = '\''; y = 'z'; b'\n' w";
        assert_eq!(words(literals), r#"x : & str = ; y = ; "" w"#);
        assert_eq!(
            words("r#type crate::a 1.5 t.0 0..3"),
            "r # type crate :: a 1.5 t . 0 0 . . 3"
        );
    }

    #[test]
    fn lines_are_counted_through_strings() {
        let code = read("\"a\nb\"\n/*\n*/ c");
        assert_eq!(code.tokens.last().map(|token| token.line), Some(4));
    }

    #[test]
    fn test_code_is_taken_out() {
        assert_eq!(
            words("a #[cfg(test)] mod tests { use crate::x; fn f() {} } b"),
            "a b"
        );
        assert_eq!(words("#[cfg(test)] use crate::{x, y}; b"), "b");
        assert_eq!(words("#[cfg(test)] #[path = \"t.rs\"] mod t; b"), "b");
        assert_eq!(
            words("#[cfg(test)] pub(crate) const fn f<A, B>() -> [u8; 2] { [0; 2] } b"),
            "b"
        );
        assert_eq!(
            words("#[cfg(all(test, unix))] const A: T = T { a: 1 }; b"),
            "b"
        );
        assert_eq!(
            words("struct S { #[cfg(test)] a: (u8, u8), b: u8 }"),
            "struct S { b : u8 }"
        );
        assert_eq!(words("struct S { #[cfg(test)] a: u8 } c"), "struct S { } c");
        assert_eq!(words("#[cfg(not(test))] a"), "# [ cfg ( not ( test ) ) ] a");
    }

    #[test]
    fn test_files_and_lines_are_known() {
        let code = read("a\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n}\n");
        assert_eq!(code.test_modules, ["tests"]);
        assert_eq!(code.test_lines, 5);
        assert!(read("//! x\n#![cfg(test)]\nuse crate::a;").all_test);
    }
}
