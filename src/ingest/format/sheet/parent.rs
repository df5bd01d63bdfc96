//! Starting a child for a workbook, waiting for it, and saying how it ended.

use super::super::machine::Faults;
use super::super::scratch::Scratch;
use super::archive;
use super::child::UNWRITTEN;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long a child may take.
const DEADLINE: Duration = Duration::from_secs(120);
/// The largest workbook, in bytes.
const LARGEST: u64 = 128 << 20;
/// The hidden command of our binary that is the child.
pub(super) const COMMAND: &str = "read-sheet";
/// What keeps the allocator from reserving more address space at once than the child may have.
const ALLOCATOR: [(&str, &str); 2] = [
    ("MIMALLOC_ARENA_RESERVE", "16384"),
    ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
];

/// The rows of a workbook, all of them, in a temporary file.
#[derive(Debug)]
pub(in super::super) struct Spooled {
    scratch: Scratch,
}

impl Spooled {
    pub(in super::super) fn open(&self) -> io::Result<File> {
        File::open(self.scratch.path())
    }
}

/// Reads a workbook whose unpacked bytes `input` gives, with `program` or the running binary as the child.
///
/// # Errors
/// A sentence with the cause and the remedy; what the machine lacks is noted in `faults`.
pub(in super::super) fn spool(
    mut input: impl Read,
    is_archive: bool,
    program: Option<&Path>,
    faults: &Faults,
) -> Result<Spooled, String> {
    let unpacked = |error: io::Error| format!("the workbook cannot be unpacked: {error}");
    let kept = |error: io::Error| {
        faults.note_ours(&error);
        unpacked(error)
    };
    let (book, mut file) = Scratch::new().map_err(kept)?;
    let copied = io::copy(&mut (&mut input).take(LARGEST + 1), &mut file);
    let size = copied.map_err(|error| {
        faults.note(&error);
        unpacked(error)
    })?;
    if size > LARGEST {
        return Err(format!(
            "the workbook is larger than {} MiB; save it as CSV",
            LARGEST >> 20
        ));
    }
    file.flush().map_err(kept)?;
    if is_archive {
        file.seek(SeekFrom::Start(0)).map_err(kept)?;
        archive::check(&mut file)?;
    }
    let (rows, out) = Scratch::new().map_err(kept)?;
    let program = match program {
        Some(program) => program.to_owned(),
        None => own_program().map_err(|error| {
            faults.note_ours(&error);
            format!("this program does not find itself: {error}")
        })?,
    };
    let child = Command::new(&program)
        .arg(COMMAND)
        .arg(book.path())
        .env_clear()
        .envs(ALLOCATOR)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            faults.note_ours(&error);
            format!(
                "{} cannot be started to read the workbook: {error}",
                program.display()
            )
        })?;
    let (status, said) = wait(child, DEADLINE, faults)?;
    if status.code() == Some(i32::from(UNWRITTEN)) {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        return Err(kept(error) + "; " + said.trim());
    }
    if !status.success() {
        tracing::warn!(%status, said, "a workbook ended the process that read it");
        return Err(ending(status));
    }
    Ok(Spooled { scratch: rows })
}

/// The one place that asks for the path of the running binary.
fn own_program() -> io::Result<PathBuf> {
    // A binary that was replaced while it ran is still itself.
    #[cfg(target_os = "linux")]
    return Ok(PathBuf::from("/proc/self/exe"));
    #[cfg(not(target_os = "linux"))]
    std::env::current_exe()
}

/// Waits for the child to end, for so long; then it is ended. Gives what it wrote to standard error, shortened.
fn wait(
    mut child: Child,
    deadline: Duration,
    faults: &Faults,
) -> Result<(ExitStatus, String), String> {
    let failed = |error: io::Error| {
        faults.note_ours(&error);
        format!("the process that reads the workbook is lost: {error}")
    };
    let (sender, receiver) = mpsc::channel();
    // Its standard error ends when the child does.
    let stream = child.stderr.take();
    let listener = std::thread::Builder::new().spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stream) = stream {
            let _ = (&mut stream).take(4_096).read_to_end(&mut said);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        let _ = sender.send(said);
    });
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(error));
        }
    };
    let said = match receiver.recv_timeout(deadline) {
        Ok(said) => said,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            let _ = listener.join();
            return Err(format!(
                "the workbook takes longer than {} seconds to read; save it as CSV",
                deadline.as_secs()
            ));
        }
    };
    let status = child.wait().map_err(failed)?;
    let _ = listener.join();
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

/// How a child ended that was not meant to.
fn ending(status: ExitStatus) -> String {
    /// Signals that end a process which computed too long.
    #[cfg(unix)]
    const TOO_LONG: [Option<i32>; 2] = [Some(24), Some(9)];
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(unix)]
    if TOO_LONG.contains(&signal) {
        return "the workbook needs more than a minute of computing to read; save it as CSV"
            .to_owned();
    }
    if status.code().is_some() {
        return "the workbook is damaged; open it and save it anew, or save it as CSV".to_owned();
    }
    "the workbook needs more than 512 MiB of memory to read; save it as CSV".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(program: &str, arguments: &[&str]) -> Child {
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_child_that_does_not_end_is_ended() {
        // It waits for input that never comes.
        let error = wait(
            started("cat", &[]),
            Duration::from_millis(50),
            &Faults::default(),
        )
        .unwrap_err();
        assert!(error.contains("takes longer than"), "{error}");
    }

    #[test]
    fn how_a_child_ended_is_said() {
        for (script, words) in [
            ("kill -ABRT $$", "512 MiB of memory"),
            ("kill -SEGV $$", "512 MiB of memory"),
            ("kill -XCPU $$", "a minute of computing"),
            ("echo broken >&2; exit 101", "damaged"),
        ] {
            let (status, said) =
                wait(started("sh", &["-c", script]), DEADLINE, &Faults::default()).unwrap();
            assert!(
                ending(status).contains(words),
                "{script}: {}",
                ending(status)
            );
            assert_eq!(said.contains("broken"), script.contains("broken"), "{said}");
        }
    }
}
