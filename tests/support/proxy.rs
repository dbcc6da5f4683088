//! A proxy before a sandbox that fails one request, by hand over sockets: a good server could not
//! lose an answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the request fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Which one, from 0.
    pub(crate) number: usize,
    /// The tenant does it before it fails.
    pub(crate) is_done: bool,
    /// It is answered with 500; otherwise the connection ends.
    pub(crate) is_answered: bool,
    /// Every repetition of it fails too.
    pub(crate) is_lasting: bool,
}

#[derive(Debug, Default)]
struct Plot {
    fault: Option<Fault>,
    seen: usize,
    failed: BTreeSet<Vec<u8>>,
}

/// The proxy; it ends with the runtime.
pub(crate) struct Proxy {
    pub(crate) url: String,
    plot: Arc<Mutex<Plot>>,
}

impl Proxy {
    /// Starts one that passes everything on.
    pub(crate) async fn before(sandbox: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = sandbox.trim_start_matches("http://").to_owned();
        let plot: Arc<Mutex<Plot>> = Arc::default();
        let shared = plot.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (target, plot) = (target.clone(), shared.clone());
                // A connection that ends badly is what the test is about.
                tokio::spawn(async move { serve(stream, &target, &plot).await.ok() });
            }
        });
        Self { url, plot }
    }

    /// Fails a request of those that come from now on; none without.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        *self.plot.lock().unwrap() = Plot { fault, ..Plot::default() };
    }
}

impl Plot {
    /// Tells how this request fails, if it does.
    fn fate(&mut self, request: &[u8]) -> Option<Fault> {
        let fault = self.fault?;
        self.seen += 1;
        let is_it = self.seen == fault.number + 1;
        if is_it {
            self.failed.insert(request.to_owned());
        }
        (is_it || fault.is_lasting && self.failed.contains(request)).then_some(fault)
    }
}

async fn serve(stream: TcpStream, target: &str, plot: &Mutex<Plot>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let upstream = TcpStream::connect(target).await?;
    upstream.set_nodelay(true)?;
    let (mut down, mut up) = (BufReader::new(stream), BufReader::new(upstream));
    loop {
        let Some(request) = message(&mut down).await? else { return Ok(()) };
        let fate = plot.lock().unwrap().fate(&request);
        if fate.is_none_or(|fault| fault.is_done) {
            up.get_mut().write_all(&request).await?;
            let Some(answer) = message(&mut up).await? else { return Ok(()) };
            if fate.is_none() {
                down.get_mut().write_all(&answer).await?;
                continue;
            }
        }
        if fate.is_some_and(|fault| !fault.is_answered) {
            return Ok(());
        }
        let body = r#"{"statusCode":500,"error":"Internal Server Error","message":"An internal error occurred"}"#;
        let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: ";
        down.get_mut().write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    }
}

/// Reads one request or answer, whose length its head tells; none at the end of the connection.
async fn message(from: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut whole = Vec::new();
    let mut length = 0;
    loop {
        let start = whole.len();
        if from.read_until(b'\n', &mut whole).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&whole[start..]).to_ascii_lowercase();
        assert!(!line.starts_with("transfer-encoding"), "messages tell their length");
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let start = whole.len();
    whole.resize(start + length, 0);
    from.read_exact(&mut whole[start..]).await?;
    Ok(Some(whole))
}
