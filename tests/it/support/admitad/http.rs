//! The fake's own little web server: one thread for each connection, so that an answer can wait, break off or be half.

use super::world::{Trouble, World};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long anything is waited for that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    /// The parameters, in order.
    pub query: Vec<(String, String)>,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The status of the answer; 0 while it is being made.
    pub status: u16,
}

impl Request {
    /// A parameter; of several the first.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.query.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// All values of a parameter that are numbers.
    pub(super) fn numbers(&self, name: &str) -> Vec<i64> {
        let values = self.all(name);
        values
            .iter()
            .map(|value| value.parse().unwrap_or(-1))
            .collect()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The fields of a form in the body.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }
}

/// An answer to be sent.
pub(super) struct Reply {
    status: u16,
    kind: &'static str,
    retry_after: Option<u64>,
    body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            kind: "application/json",
            retry_after: None,
            body,
        }
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self {
            kind: "text/html",
            ..Self::json(
                status,
                format!("<!DOCTYPE html>\n<html><body>{body}</body></html>"),
            )
        }
    }

    pub(super) fn retry_after(self, retry_after: Option<u64>) -> Self {
        Self {
            retry_after,
            ..self
        }
    }
}

/// What the threads share.
struct Desk {
    world: Mutex<World>,
    log: Mutex<Vec<Request>>,
    gate: Mutex<Gate>,
    moved: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

/// Who waits for being let go.
#[derive(Default)]
struct Gate {
    waiting: usize,
    /// How often all who wait were let go.
    opened: usize,
    closing: bool,
}

/// An Admitad of one's own, on loopback. It ends when it is dropped.
pub(crate) struct FakeAdmitad {
    address: SocketAddr,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeAdmitad {
    /// Starts one whose time is a clock's.
    pub(crate) fn start(clock: actiongraph::clock::Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk {
            world: Mutex::new(World::new(clock)),
            log: Mutex::default(),
            gate: Mutex::default(),
            moved: Condvar::new(),
            connections: Mutex::default(),
        });
        let its_desk = Arc::clone(&desk);
        let thread = std::thread::spawn(move || accept(&listener, &its_desk));
        Self {
            address,
            desk,
            thread: Some(thread),
        }
    }

    /// What a client takes as `base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Looks at the world or changes it.
    pub(crate) fn world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut locked(&self.desk.world))
    }

    /// All requests so far, in the order in which they came.
    pub(crate) fn log(&self) -> Vec<Request> {
        locked(&self.desk.log).clone()
    }

    /// The requests since the log was last taken.
    pub(crate) fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut locked(&self.desk.log))
    }

    /// Blocks until so many answers wait ([`Trouble::Hold`]).
    pub(crate) fn wait_until_held(&self, count: usize) {
        let gate = locked(&self.desk.gate);
        let missing = |gate: &mut Gate| gate.waiting < count;
        let waited = self.desk.moved.wait_timeout_while(gate, PATIENCE, missing);
        let (_gate, late) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!late.timed_out(), "no {count} requests came to be held");
    }

    /// Lets all answers go that wait.
    pub(crate) fn release(&self) {
        locked(&self.desk.gate).opened += 1;
        self.desk.moved.notify_all();
    }
}

impl Drop for FakeAdmitad {
    fn drop(&mut self) {
        locked(&self.desk.gate).closing = true;
        self.desk.moved.notify_all();
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        for connection in locked(&self.desk.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()),
            "the fake Admitad fell"
        );
    }
}

fn accept(listener: &TcpListener, desk: &Arc<Desk>) {
    for connection in listener.incoming() {
        if locked(&desk.gate).closing {
            return;
        }
        let Ok(connection) = connection else { continue };
        let Ok(copy) = connection.try_clone() else {
            continue;
        };
        locked(&desk.connections).push(copy);
        let desk = Arc::clone(desk);
        std::thread::spawn(move || {
            // A connection that breaks is the other side's right.
            let _ = serve(&connection, &desk);
            let _ = connection.shutdown(Shutdown::Both);
        });
    }
}

/// Answers the requests of a connection until it ends.
fn serve(mut connection: &TcpStream, desk: &Desk) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some(mut request) = read(&mut reader)? {
        let (place, trouble, reply, gzip) = {
            let mut world = locked(&desk.world);
            let mut log = locked(&desk.log);
            log.push(request.clone());
            let place = log.len() - 1;
            drop(log);
            let (trouble, reply) = world.answer(&request);
            (place, trouble, reply, world.gzip)
        };
        request.status = reply.status;
        if let Some(logged) = locked(&desk.log).get_mut(place) {
            logged.status = reply.status;
        }
        let packs = gzip && request.header("accept-encoding").contains("gzip");
        if !send(&mut connection, &request, trouble, reply, packs, desk)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends an answer, as well as the trouble lets it; whether the connection goes on.
fn send(
    to: &mut &TcpStream,
    request: &Request,
    trouble: Option<Trouble>,
    mut reply: Reply,
    packs: bool,
    desk: &Desk,
) -> std::io::Result<bool> {
    let mut location = None;
    let mut is_cut = false;
    let mut bytes = None;
    match trouble {
        Some(Trouble::HangUp | Trouble::Lost) => return Ok(false),
        Some(Trouble::Hold) => {
            if !hold(desk) {
                return Ok(false);
            }
        }
        Some(Trouble::Html(status)) => {
            let head = request.header("authorization");
            reply = Reply::html(
                status,
                &format!("<h1>Bad gateway</h1> {head} from 198.51.100.7"),
            );
        }
        Some(Trouble::Answer { status, kind, body }) => {
            (reply.status, reply.kind) = (status, kind);
            bytes = Some(body);
        }
        Some(Trouble::Cut) => is_cut = true,
        Some(Trouble::Half) => {
            let middle = reply.body.floor_char_boundary(reply.body.len() / 2);
            reply.body.truncate(middle);
        }
        Some(Trouble::SendOn(to)) => {
            reply = Reply::html(302, "elsewhere");
            location = Some(to);
        }
        Some(Trouble::Endless(megabytes)) => {
            reply.body.insert_str(0, &" ".repeat(megabytes << 20));
        }
        Some(
            Trouble::Status(..)
            | Trouble::Repeat
            | Trouble::WrongPage
            | Trouble::EmptyPage
            | Trouble::NoMeta,
        )
        | None => {}
    }
    let mut body = bytes.unwrap_or_else(|| reply.body.into_bytes());
    let mut head = format!(
        "HTTP/1.1 {} X\r\nContent-Type: {}\r\n",
        reply.status, reply.kind
    );
    if packs {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&body)?;
        body = packer.finish()?;
        head.push_str("Content-Encoding: gzip\r\n");
    }
    if let Some(seconds) = reply.retry_after {
        head.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    if let Some(location) = location {
        head.push_str(&format!("Location: {location}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    to.write_all(head.as_bytes())?;
    if is_cut {
        to.write_all(&body[..body.len() / 2])?;
        to.flush()?;
        return Ok(false);
    }
    to.write_all(&body)?;
    to.flush()?;
    Ok(true)
}

/// Waits until the test lets go; false if the fake ends.
fn hold(desk: &Desk) -> bool {
    let mut gate = locked(&desk.gate);
    gate.waiting += 1;
    desk.moved.notify_all();
    let before = gate.opened;
    let shut = |gate: &mut Gate| gate.opened == before && !gate.closing;
    let (mut gate, _) = desk
        .moved
        .wait_timeout_while(gate, PATIENCE, shut)
        .unwrap_or_else(PoisonError::into_inner);
    gate.waiting -= 1;
    !gate.closing
}

/// The next request of a connection; none at its end.
fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: BTreeMap::new(),
        body: Vec::new(),
        status: 0,
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}
