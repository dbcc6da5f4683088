//! A server for tests of `api` and `apply`: it answers as a closure says, also badly.
//!
//! It speaks HTTP/1.1 by hand over std's sockets, because a good server could not lose an answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::auth::Credentials;
use super::clock::Clock;
use super::{Client, Connection, Trust};
use crate::error::Error;
use crate::secret::Secrets;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path without the query, such as `GET /api/v2/clients`.
    pub(crate) line: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.query.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.parse().ok())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the server does.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Json(u16, Value),
    With(u16, Vec<(&'static str, String)>, Value),
    Html(u16),
    /// Half of the answer, then the end of the connection.
    Cut(Value),
    /// The end of the connection in the place of an answer.
    Hang,
}

/// Answers a request; the number counts them from 1.
type Handler = dyn Fn(usize, &Asked) -> Reply + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    log: Arc<Mutex<Vec<Asked>>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server that gives tokens and leaves everything else to the closure.
    pub(crate) fn start(handler: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::bare(move |number, asked| match asked.line.as_str() {
            "POST /oauth/token" => {
                Reply::Json(200, json!({"access_token": format!("token-{number}"), "expires_in": 3600}))
            }
            _ => handler(number, asked),
        })
    }

    /// Starts a server that leaves everything to the closure.
    pub(crate) fn bare(handler: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), log: Arc::default(), is_over: Arc::default() };
        let (log, is_over) = (server.log.clone(), server.is_over.clone());
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (log, handler) = (log.clone(), handler.clone());
                std::thread::spawn(move || serve(&stream, &log, &*handler));
            }
        });
        server
    }

    /// Lists what was asked, but for tokens.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().iter().filter(|asked| asked.line != "POST /oauth/token").cloned().collect()
    }

    /// Counts all requests.
    pub(crate) fn log_size(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    /// Lists method and path of what was asked, but for tokens.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line.replace("/api/v2", "")).collect()
    }

    /// Signs in with a secret, by a clock that does not wait.
    pub(crate) async fn client(&self) -> Client {
        self.connect(Clock::leaping()).await.unwrap()
    }

    pub(crate) async fn connect(&self, clock: Clock) -> Result<Client, Error> {
        Client::connect(self.connection(clock)).await
    }

    pub(crate) fn connection(&self, clock: Clock) -> Connection {
        Connection {
            base_url: format!("http://127.0.0.1:{}", self.port),
            domain: "x.auth0.com".to_owned(),
            audience: None,
            credentials: Credentials::ClientSecret { client_id: "me".to_owned(), client_secret: "s3cret-word".into() },
            trust: Trust::begin(Vec::new(), true),
            secrets: Secrets::default(),
            pacing: super::pace::Pacing::default(),
            clock,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Asked>>, handler: &Handler) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let number = {
            let mut log = log.lock().unwrap();
            log.push(asked.clone());
            log.len()
        };
        let (status, headers, body, kind) = match handler(number, &asked) {
            Reply::Json(status, value) => (status, Vec::new(), value.to_string(), "application/json"),
            Reply::With(status, headers, value) => (status, headers, value.to_string(), "application/json"),
            Reply::Html(status) => (status, Vec::new(), "<html><body>hello</body></html>".to_owned(), "text/html"),
            Reply::Cut(value) => {
                let body = value.to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = (&*stream).write_all(format!("{head}{}", &body[..body.len() / 2]).as_bytes());
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Reply::Hang => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        };
        let body = if status == 204 { String::new() } else { body };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n");
        if status != 204 {
            head = format!("{head}content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        if (&*stream).write_all(format!("{head}\r\n{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|size| *size > 0)?;
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|size| *size > 0)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Asked {
        line: format!("{method} {path}"),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        authorization,
        body: String::from_utf8(body).unwrap(),
    })
}
