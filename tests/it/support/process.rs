//! A server as a process of its own, as people run it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server process; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// What it said on standard error until now, line by line.
    said: Arc<Mutex<Vec<String>>>,
}

/// Starts one with settings as variables of the environment.
pub(crate) fn serve(url: &str, settings: &[(&str, &str)]) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_actiongraph"))
        .args(["serve", "--listen", "127.0.0.1:0", "--database-url", url])
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = Arc::new(Mutex::new(Vec::new()));
    let address = lines
        .by_ref()
        .find_map(|line| {
            let line = line.unwrap();
            said.lock().unwrap().push(line.clone());
            let (_, rest) = line.split_once("listening on http://")?;
            Some(rest.split(['"', ' ']).next()?.to_owned())
        })
        .unwrap();
    // The rest is read, so that the server never waits for somebody to do so.
    let kept = Arc::clone(&said);
    std::thread::spawn(move || {
        lines.for_each(|line| kept.lock().unwrap().push(line.unwrap_or_default()));
    });
    Process {
        child,
        address,
        said,
    }
}

impl Process {
    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its log until now, which has to have each of these parts within a minute: lines are read beside the answers.
    pub(crate) async fn log_with(&self, parts: &[String]) -> String {
        let read = async {
            loop {
                let log = self.said.lock().unwrap().join("\n");
                if parts.iter().all(|part| log.contains(part)) {
                    return log;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let log = tokio::time::timeout(Duration::from_secs(60), read).await;
        log.unwrap_or_else(|_| panic!("{parts:?} do not all stand in {:#?}", self.said))
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.unwrap().success());
    }

    /// How it ends, which it has to within a time.
    pub(crate) async fn end(&mut self, within: Duration) -> ExitStatus {
        let end = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(within, end).await.expect("it ends")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
