//! Lines: connections are accepted up to a number, given up when they say nothing or take nothing
//! of what they are answered, and ended when the server stops.
//!
//! Each request carries `Lines`, the bounds of its body, and `Peer`, where its line comes from.

use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use tower::ServiceExt;
use xiangyi_proto::limits::WAIT_SECONDS_MAX;
use xiangyi_proto::problem;

use crate::problem::ApiError;
use crate::router::Overridden;
use crate::tasks;

/// For how long a line may be silent before and between requests: above the 60 s for which
/// proxies keep a line in reserve; a head of 2 KB takes a second at 3 KB/s.
const HEAD: Duration = Duration::from_secs(75);
/// For how long a body may be silent: a lost packet is sent again within 15 s.
const SILENCE: Duration = Duration::from_secs(30);
/// For how long a body may take: the largest, 1 MiB at the 3 KB/s of 2G, needs 350 s; a push of
/// 256 KiB needs 87 s. Photographs know only silence (`photos::receive`): 8 MiB take 47 minutes.
const BODY: Duration = Duration::from_secs(360);
/// For how long nothing of an answer may be taken. A full buffer takes more once a third of it has
/// gone; it grows with what is on its way, on 2G below 1 MiB, whose third takes 117 s at 3 KB/s.
const UNREAD: Duration = Duration::from_secs(120);
/// Lines at once: a phone for each of 8,000 social workers of the province, and as many again; a
/// quiet line takes about 12 KB. Further ones wait in the kernel's queue.
const AT_ONCE: u32 = 16_384;
/// For how long live events may be silent: proxies cut silent lines after 30 to 60 s.
const PING: Duration = Duration::from_secs(20);
/// For how long a stop waits for what is under way; long polls last 25 s and may be cut.
const STOP: Duration = Duration::from_secs(20);
/// Pause after a connection could not be accepted: too many open files pass by themselves.
const PAUSE: Duration = Duration::from_secs(1);
/// First pause between looks at a line that has not yet said which HTTP it speaks. Each is twice
/// the one before, up to the longest: one that stops after three letters costs a look a second.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_secs(1);
/// What a line of HTTP/2 begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bounds of connections; tests take shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    pub head: Duration,
    pub silence: Duration,
    pub body: Duration,
    /// How long nothing of an answer may be taken.
    pub unread: Duration,
    pub at_once: u32,
    pub stop: Duration,
    /// How long a long poll may last.
    pub wait: Duration,
    /// How long a line of live events may be silent; half of it, how often grants are looked at.
    pub ping: Duration,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            head: HEAD,
            silence: SILENCE,
            body: BODY,
            unread: UNREAD,
            at_once: AT_ONCE,
            stop: STOP,
            wait: Duration::from_secs(WAIT_SECONDS_MAX),
            ping: PING,
        }
    }
}

/// The address at the other end of a request's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Serves until `stop` is ready; then lets what is under way end, and cuts what does not.
pub async fn serve(
    listener: TcpListener,
    service: Overridden,
    lines: Lines,
    stop: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(lines.at_once as usize));
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (permit, stream, peer) = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut stop => break,
        };
        let line = line(stream, peer, service.clone(), lines, stopped.clone());
        tasks::spawn("line", async move {
            line.await;
            drop(permit);
        });
    }
    drop(listener);
    // Every line sees that nobody holds the other end any more.
    drop(stopping);
    let all = permits.acquire_many(lines.at_once);
    if tokio::time::timeout(lines.stop, all).await.is_err() {
        tracing::info!("lines were cut that did not end in time");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, Peer) {
    loop {
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, address)) => return (permit, stream, Peer(address.ip().to_canonical())),
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn line(
    stream: TcpStream,
    peer: Peer,
    service: Overridden,
    lines: Lines,
    mut stopped: watch::Receiver<()>,
) {
    let said = tokio::select! {
        said = tokio::time::timeout(lines.head, has_spoken(&stream)) => said,
        _ = stopped.changed() => return,
    };
    if !matches!(said, Ok(true)) {
        return;
    }
    let marked = service.map_request(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(lines);
        request
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(lines.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(lines.head)
        .keep_alive_timeout(lines.silence);
    let service = TowerToHyperService::new(marked);
    let stream = Taken {
        stream,
        within: lines.unread,
        late: None,
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        tracing::debug!("a line broke");
    }
}

/// Waits until a line shows which HTTP it speaks; false when it ends before.
async fn has_spoken(stream: &TcpStream) -> bool {
    let mut seen = [0; PREFACE.len()];
    let mut pause = LOOK;
    loop {
        match stream.peek(&mut seen).await {
            Ok(0) | Err(_) => return false,
            Ok(bytes) if bytes == PREFACE.len() || seen[..bytes] != PREFACE[..bytes] => {
                return true;
            }
            Ok(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LOOK_MAX);
    }
}

/// A line that ends when nothing of what is written to it is taken for too long: whoever asks and
/// never reads does not hold it for ever.
struct Taken {
    stream: TcpStream,
    within: Duration,
    /// Runs while a write waits.
    late: Option<Pin<Box<Sleep>>>,
}

impl Taken {
    fn bounded(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.late = None;
            return written;
        }
        let within = self.within;
        let late = self
            .late
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        let over = late.as_mut().poll(cx);
        over.map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Taken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Taken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Cuts a body that falls silent or takes too long: the answer is 408, whatever became of it.
pub async fn patient(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let lines = request.extensions().get::<Lines>().copied();
    let late = Arc::new(AtomicBool::new(false));
    let bounded = |body| bounded(body, lines.unwrap_or_default(), Arc::clone(&late));
    let response = next.run(request.map(bounded)).await;
    if !late.load(Ordering::Relaxed) {
        return response;
    }
    let mut response = ApiError::new(problem::TIMEOUT).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// The same body, which ends in a fault when it is late.
fn bounded(body: Body, lines: Lines, late: Arc<AtomicBool>) -> Body {
    let end = Box::pin(tokio::time::sleep(lines.body));
    let parts = futures::stream::unfold(Some((body.into_data_stream(), end)), move |state| {
        let late = Arc::clone(&late);
        async move {
            let (mut parts, mut end) = state?;
            tokio::select! {
                part = parts.next() => {
                    let part = part?.map_err(axum::BoxError::from);
                    return Some((part, Some((parts, end))));
                }
                () = tokio::time::sleep(lines.silence) => {}
                () = &mut end => {}
            }
            late.store(true, Ordering::Relaxed);
            Some((Err(axum::BoxError::from("the body is late")), None))
        }
    });
    Body::from_stream(parts)
}
