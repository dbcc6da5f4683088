//! A connection that can be cut from inside a request, and the plain listener that gives such ones out.
//!
//! The one who answers a request has its [`Line`]; the server's own code has the stream. Once the line is cut, the
//! stream fails whatever is read or written, so that the server drops it.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::tls::TlsListener;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// A hold on a connection.
#[derive(Debug, Clone, Default)]
pub struct Line(Arc<AtomicU8>);

impl Line {
    /// Ends the connection; nothing more is written.
    pub fn close(&self) {
        self.0.store(CLOSED, Ordering::Release);
    }

    /// Ends the connection with a TCP reset.
    pub fn reset(&self) {
        self.0.store(RESET, Ordering::Release);
    }

    fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Acquire) {
            OPEN => Ok(()),
            _ => Err(Error::new(ErrorKind::ConnectionAborted, "cut by a fault")),
        }
    }
}

/// A connection with its line.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    /// The hold on it.
    pub line: Line,
}

impl Stream {
    /// Takes a connection; small answers are sent at once.
    #[must_use]
    pub fn new(tcp: TcpStream) -> Self {
        let _ = tcp.set_nodelay(true);
        Self { tcp, line: Line::default() }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.line.0.load(Ordering::Acquire) == RESET {
            // Without time to linger, the end of a connection is a reset.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.line.check()?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// Gives out connections without TLS.
#[derive(Debug)]
pub struct PlainListener(pub TcpListener);

impl Listener for PlainListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (tcp, peer) = Listener::accept(&mut self.0).await;
        (Stream::new(tcp), peer)
    }

    fn local_addr(&self) -> Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, PlainListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, PlainListener>) -> Self {
        stream.io().line.clone()
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.io().get_ref().0.line.clone()
    }
}
