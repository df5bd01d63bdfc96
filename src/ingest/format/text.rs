//! Text as bytes: from its encoding into UTF-8 while it is read, and never more of it at once than a record may have.

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, UTF_8};
use std::cell::Cell;
use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;

/// An input as UTF-8. What is not in its encoding ends it with an error.
pub(super) struct Utf8<R> {
    input: R,
    encoding: &'static Encoding,
    decoder: Decoder,
    /// Read and not yet decoded.
    raw: Vec<u8>,
    raw_at: usize,
    /// Bytes of the input that were decoded.
    passed: u64,
    /// Decoded and not yet handed out.
    text: Vec<u8>,
    text_at: usize,
    is_ended: bool,
}

impl<R: Read> Utf8<R> {
    /// Reads an input in an encoding; its mark at the beginning, if any, is dropped.
    pub(super) fn new(input: R, encoding: &'static Encoding) -> Self {
        Self {
            input,
            encoding,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: Vec::new(),
            raw_at: 0,
            passed: 0,
            text: Vec::new(),
            text_at: 0,
            is_ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.text_at = 0;
        if self.raw_at == self.raw.len() && !self.is_ended {
            self.raw.resize(CHUNK, 0);
            let count = read_some(&mut self.input, &mut self.raw)?;
            self.raw.truncate(count);
            self.raw_at = 0;
            self.is_ended = count == 0;
        }
        self.text.resize(CHUNK * 3, 0);
        let rest = self.raw.get(self.raw_at..).unwrap_or_default();
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(rest, &mut self.text, self.is_ended);
        self.text.truncate(written);
        self.raw_at += read;
        self.passed += u64::try_from(read).unwrap_or(0);
        match result {
            DecoderResult::Malformed(_, _) => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!(
                    "what stands before byte {} is not {}, which the text is said to be or begins as; save it as UTF-8",
                    self.passed,
                    self.encoding.name()
                ),
            )),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.text_at == self.text.len() {
            if self.is_ended && self.raw_at == self.raw.len() {
                return Ok(0);
            }
            self.fill()?;
        }
        let rest = self.text.get(self.text_at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.text_at += count;
        Ok(count)
    }
}

/// Reads once, whatever interrupts it.
pub(super) fn read_some(input: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// The beginning of an input, as much as there is up to a limit.
pub(super) fn beginning(input: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; limit];
    let mut held = 0;
    while held < limit {
        match read_some(input, bytes.get_mut(held..).unwrap_or_default())? {
            0 => break,
            count => held += count,
        }
    }
    bytes.truncate(held);
    Ok(bytes)
}

/// Whether the whole input is UTF-8.
pub(super) fn is_utf8(input: &mut impl Read) -> io::Result<bool> {
    let mut decoder = UTF_8.new_decoder_without_bom_handling();
    let mut raw = vec![0; CHUNK];
    let mut text = vec![0; CHUNK * 3];
    loop {
        let count = read_some(input, &mut raw)?;
        let mut rest = raw.get(..count).unwrap_or_default();
        loop {
            let (result, read, _) =
                decoder.decode_to_utf8_without_replacement(rest, &mut text, count == 0);
            rest = rest.get(read..).unwrap_or_default();
            match result {
                DecoderResult::Malformed(_, _) => return Ok(false),
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
            }
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

/// The beginning of a text in an encoding, for looking at it: what is cut off or wrong does not matter.
pub(super) fn glimpse(bytes: &[u8], encoding: &'static Encoding) -> String {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let length = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0);
    let mut text = String::with_capacity(length);
    let (result, _, _) = decoder.decode_to_string(bytes, &mut text, false);
    debug_assert!(matches!(result, CoderResult::InputEmpty));
    text
}

/// How much may still be read before the next record has to begin. The reader that knows records renews it.
#[derive(Clone)]
pub(super) struct Allowance {
    left: Rc<Cell<usize>>,
    each: usize,
}

impl Allowance {
    /// So many bytes for each record; readers read ahead, so a record may be longer by what they hold.
    pub(super) fn of(each: usize) -> Self {
        Self {
            left: Rc::new(Cell::new(each)),
            each,
        }
    }

    /// A record is complete: the next may have as much.
    pub(super) fn renew(&self) {
        self.left.set(self.each);
    }
}

/// An input that ends with an error where a record is longer than allowed.
pub(super) struct Bounded<R> {
    input: R,
    allowance: Allowance,
    what: &'static str,
}

impl<R: Read> Bounded<R> {
    /// `what` is said where a record is too long.
    pub(super) fn new(input: R, allowance: Allowance, what: &'static str) -> Self {
        Self {
            input,
            allowance,
            what,
        }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.left.get();
        if left == 0 {
            return Err(io::Error::new(ErrorKind::InvalidData, self.what));
        }
        let most = into.len().min(left);
        let count = self.input.read(into.get_mut(..most).unwrap_or_default())?;
        self.allowance.left.set(left - count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{UTF_16LE, WINDOWS_1251};
    use proptest::prelude::*;

    fn whole(bytes: &[u8], encoding: &'static Encoding) -> io::Result<String> {
        let mut text = String::new();
        Utf8::new(bytes, encoding).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn encodings_are_read_and_what_is_not_theirs_is_refused() {
        assert_eq!(whole("\u{feff}Ёж".as_bytes(), UTF_8).unwrap(), "Ёж");
        let utf16: Vec<u8> = "\u{feff}Ёж"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(whole(&utf16, UTF_16LE).unwrap(), "Ёж");
        assert_eq!(whole(&[0xa8, 0xe6], WINDOWS_1251).unwrap(), "Ёж");
        let error = whole(b"abc\xffdef", UTF_8).unwrap_err();
        assert!(error.to_string().contains("byte 4 is not UTF-8"), "{error}");
        assert!(
            whole(&utf16[..5], UTF_16LE).is_err(),
            "half a character at the end"
        );
    }

    #[test]
    fn a_long_text_keeps_every_character_across_the_seams() {
        let text = "Ёж — €1,50; ".repeat(20_000);
        assert_eq!(whole(text.as_bytes(), UTF_8).unwrap(), text);
        assert!(is_utf8(&mut text.as_bytes()).unwrap());
        assert!(
            !is_utf8(&mut &text.as_bytes()[..CHUNK * 2 + 1]).unwrap()
                || text.is_char_boundary(CHUNK * 2 + 1)
        );
    }

    #[test]
    fn a_record_longer_than_allowed_is_an_error() {
        let allowance = Allowance::of(10);
        let mut input = Bounded::new(&[b'x'; 100][..], allowance.clone(), "too long");
        let mut into = [0; 8];
        assert_eq!(input.read(&mut into).unwrap(), 8);
        allowance.renew();
        assert_eq!(input.read(&mut into).unwrap(), 8);
        assert_eq!(input.read(&mut into).unwrap(), 2);
        assert_eq!(input.read(&mut into).unwrap_err().to_string(), "too long");
    }

    proptest! {
        #[test]
        fn utf8_is_what_rust_calls_so(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(is_utf8(&mut bytes.as_slice()).unwrap(), std::str::from_utf8(&bytes).is_ok());
            let _ = whole(&bytes, WINDOWS_1251);
            let _ = whole(&bytes, UTF_16LE);
        }
    }
}
