//! Faults of the machine while an input is read: a full disk, no descriptor or process more to be had. They say nothing of
//! the input, which can be read another time.
//!
//! Readers tell in sentences why an input is refused, and the system's words go through all of them: so whoever asks the
//! system notes its faults here, and whoever hands the sentence on looks whether there was one.

use crate::domain::error::{Code, Error};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// The fault that there was, if there was one.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<Option<Code>>>);

impl Faults {
    /// Notes what was said while the input itself was read: faults of the machine have a number of the system's. What decoders
    /// say of the input has none, and a folder in its place is no fault.
    pub(super) fn note(&self, error: &io::Error) {
        let is_of_system = error.raw_os_error().is_some();
        let is_of_input = matches!(
            error.kind(),
            io::ErrorKind::IsADirectory | io::ErrorKind::Interrupted
        );
        if is_of_system && !is_of_input {
            self.note_ours(error);
        }
    }

    /// Notes what was said of something else than the input, which is all ours.
    pub(super) fn note_ours(&self, error: &io::Error) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(code_of(error));
    }

    /// Why reading ended: the fault of the machine, else the input's own in a sentence for people.
    pub(super) fn or(&self, sentence: String) -> Error {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noted {
            Some(code) => fault(code, sentence),
            None => Error::new(Code::BadUserInput, sentence),
        }
    }
}

/// A fault of the machine's own as an error, with the sentence of whoever met it as its cause.
pub(in crate::ingest) fn fault_of(error: &io::Error, sentence: String) -> Error {
    fault(code_of(error), sentence)
}

fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::ServiceUnavailable,
    }
}

fn fault(code: Code, sentence: String) -> Error {
    let words = if code == Code::StorageFull {
        "The file could not be read: no room is left for temporary files."
    } else {
        "The file could not be read: the machine has no files, processes or folder to read it with."
    };
    Error::new(code, words).because(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(note: impl Fn(&Faults)) -> Error {
        let faults = Faults::default();
        note(&faults);
        faults.or("the input cannot be read".to_owned())
    }

    #[test]
    fn faults_of_the_machine_are_told_from_those_of_the_input() {
        let system = io::Error::from_raw_os_error;
        // ENOSPC, EMFILE, EIO; then EISDIR.
        for (code, expected) in [
            (28, Code::StorageFull),
            (24, Code::ServiceUnavailable),
            (5, Code::ServiceUnavailable),
            (21, Code::BadUserInput),
        ] {
            let error = told(|faults| faults.note(&system(code)));
            assert_eq!(error.code(), expected, "{code}");
        }
        for kind in [
            io::ErrorKind::InvalidData,
            io::ErrorKind::InvalidInput,
            io::ErrorKind::UnexpectedEof,
        ] {
            let error = told(|faults| faults.note(&io::Error::new(kind, "cut off")));
            assert_eq!(error.code(), Code::BadUserInput);
            assert_eq!(error.message(), "the input cannot be read");
        }
        let ours = io::Error::new(io::ErrorKind::PermissionDenied, "a temporary file in /x");
        let error = told(|faults| faults.note_ours(&ours));
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(!error.message().contains("/x"), "{error}");
    }
}
