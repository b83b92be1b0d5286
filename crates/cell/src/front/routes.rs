//! The requests of `cell.sock`, each sent to the file that does it.

use std::{future::Future, io, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use openmiosa_link::server::{Body, json, read_body, read_json};
use serde::Deserialize;
use serde_json::{Value, json as object};
use tokio::sync::mpsc;

use super::{
    connect,
    files::{self, Writing},
    output::{self, Offsets},
    paths::InnerPath,
    problem::{Outcome, Problem},
    processes::{self, Size, StartBody},
    query::Query,
    registry::Registry,
    sandbox::Sandbox,
    watch,
};
use crate::{host::Host, spec::SandboxSpec};

/// How much of a body is read although it is refused.
const WASTE: usize = 8 << 20;
const DEFAULT_MODE: &str = "0644";

/// What the handlers need.
pub struct App {
    /// All sandboxes.
    pub registry: Arc<Registry>,
    /// What this host can do.
    pub host: Host,
}

#[derive(Deserialize)]
struct SignalBody {
    signal: i32,
    #[serde(default = "yes")]
    group: bool,
}

#[derive(Deserialize)]
struct FolderBody {
    path: String,
    #[serde(default)]
    parents: bool,
}

fn yes() -> bool {
    true
}

type Answer = Outcome<Response<Body>>;

/// Answers one request.
pub async fn answer(app: Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let outcome = match (request.method(), parts.as_slice()) {
        (&Method::GET, ["v1", "host"]) => Ok(json(StatusCode::OK, &app.host)),
        (&Method::GET, ["v1", "sandboxes"]) => {
            let all: Vec<Value> = app.registry.list().iter().map(|s| s.describe()).collect();
            Ok(json(StatusCode::OK, &object!({"sandboxes": all})))
        }
        (&Method::DELETE, ["v1", "snapshots", snapshot]) => {
            let (registry, snapshot) = (Arc::clone(&app.registry), (*snapshot).to_owned());
            to_the_end(async move { registry.delete_snapshot(&snapshot).await }).await.map(|()| nothing())
        }
        (_, ["v1", "sandboxes", id]) => sandbox(&app, id, request).await,
        (_, ["v1", "sandboxes", id, rest @ ..]) => part(&app, id, rest, request).await,
        _ => Err(unknown(&request)),
    };
    outcome.unwrap_or_else(|problem| problem.response())
}

/// Does all of `work`, although the caller may hang up in the middle: half a change is worse than one that nobody hears of.
async fn to_the_end<T: Send + 'static>(work: impl Future<Output = Outcome<T>> + Send + 'static) -> Outcome<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Problem::internal(error.to_string())))
}

async fn sandbox(app: &App, id: &str, request: Request<Incoming>) -> Answer {
    let (registry, name) = (Arc::clone(&app.registry), id.to_owned());
    match *request.method() {
        Method::PUT => {
            if let Some(missing) = app.host.missing() {
                return Err(Problem::host_unsupported(missing));
            }
            let spec: SandboxSpec = match read_json(request.into_body()).await {
                Ok(spec) => spec,
                Err(response) => return Ok(response),
            };
            let (sandbox, created) = to_the_end(async move { registry.create(&name, spec).await }).await?;
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            Ok(json(status, &object!({"sandbox": sandbox.describe()})))
        }
        Method::GET => Ok(json(StatusCode::OK, &object!({"sandbox": app.registry.get(id)?.describe()}))),
        Method::DELETE => {
            let keep = Query::parse(request.uri().query())?.optional("files") == Some("keep");
            to_the_end(async move { registry.destroy(&name, keep).await }).await.map(|()| nothing())
        }
        _ => Err(unknown(&request)),
    }
}

async fn part(app: &App, id: &str, rest: &[&str], request: Request<Incoming>) -> Answer {
    let sandbox = app.registry.get(id)?;
    let query = Query::parse(request.uri().query())?;
    match (request.method(), rest) {
        (&Method::POST, [word @ ("pause" | "resume")]) => {
            let (registry, id, paused) = (Arc::clone(&app.registry), id.to_owned(), *word == "pause");
            let sandbox = to_the_end(async move { registry.pause(&id, paused).await }).await?;
            Ok(json(StatusCode::OK, &object!({"sandbox": sandbox.describe()})))
        }
        (&Method::POST, ["snapshots", snapshot]) => {
            let (registry, id, snapshot) = (Arc::clone(&app.registry), id.to_owned(), (*snapshot).to_owned());
            let bytes = to_the_end(async move { registry.snapshot(&id, &snapshot).await }).await?;
            Ok(json(StatusCode::CREATED, &object!({"bytes": bytes})))
        }
        (&Method::GET, ["usage"]) => Ok(json(StatusCode::OK, &sandbox.usage().await)),
        (&Method::GET, ["connect"]) => {
            connect::connect(
                &sandbox,
                query.text("port")?.parse().map_err(|_| Problem::invalid("port is a number from 1 to 65535"))?,
                request,
            )
            .await
        }
        (_, ["processes", rest @ ..]) => process(&sandbox, rest, &query, request).await,
        (_, ["files", rest @ ..]) => file(&sandbox, rest, &query, request).await,
        _ => Err(unknown(&request)),
    }
}

async fn process(sandbox: &Arc<Sandbox>, rest: &[&str], query: &Query, request: Request<Incoming>) -> Answer {
    match (request.method(), rest) {
        (&Method::POST, []) => {
            sandbox.must_run()?;
            let body: StartBody = match read_json(request.into_body()).await {
                Ok(body) => body,
                Err(response) => return Ok(response),
            };
            let sandbox = Arc::clone(sandbox);
            let process = to_the_end(async move { processes::start(&sandbox, body).await }).await?;
            Ok(json(StatusCode::CREATED, &object!({"process": process.describe()})))
        }
        (&Method::GET, []) => {
            let all: Vec<Value> = sandbox.processes.list().iter().map(|p| p.describe()).collect();
            Ok(json(StatusCode::OK, &object!({"processes": all})))
        }
        (&Method::GET, [id]) => Ok(json(StatusCode::OK, &object!({"process": sandbox.processes.get(id)?.process.describe()}))),
        (&Method::GET, [id, "output"]) => {
            let offsets = Offsets { stdout: query.number("stdout", 0)?, stderr: query.number("stderr", 0)? };
            let lines = output::stream(sandbox.processes.get(id)?.process, offsets, query.flag("follow", false)?);
            Ok(streamed("application/x-ndjson", None, lines))
        }
        (&Method::POST, [id, word]) => act(sandbox, id, word, query, request).await,
        _ => Err(unknown(&request)),
    }
}

async fn act(sandbox: &Sandbox, id: &str, word: &str, query: &Query, request: Request<Incoming>) -> Answer {
    let entry = sandbox.processes.get(id)?;
    sandbox.must_run()?;
    match word {
        "stdin" => match read_body(request.into_body()).await {
            Ok(bytes) => processes::write_input(&entry, &bytes, query.flag("eof", false)?).await?,
            Err(response) => return Ok(response),
        },
        "signal" => match read_json::<SignalBody>(request.into_body()).await {
            Ok(body) => processes::signal(sandbox, &entry.process, body.signal, body.group).await?,
            Err(response) => return Ok(response),
        },
        "resize" => match read_json::<Size>(request.into_body()).await {
            Ok(size) => processes::resize(&entry, size).await?,
            Err(response) => return Ok(response),
        },
        _ => return Err(unknown(&request)),
    }
    Ok(nothing())
}

async fn file(sandbox: &Arc<Sandbox>, rest: &[&str], query: &Query, request: Request<Incoming>) -> Answer {
    match (request.method(), rest) {
        (&Method::GET, ["content"]) => {
            let (file, length) = files::open(sandbox, InnerPath::parse(query.text("path")?)?).await?;
            Ok(streamed("application/octet-stream", Some(length), files::stream(sandbox, file, length).await?))
        }
        (&Method::PUT, ["content"]) => put_file(sandbox, query, request).await,
        (&Method::GET, ["stat"]) => Ok(json(StatusCode::OK, &files::stat(sandbox, InnerPath::parse(query.text("path")?)?).await?)),
        (&Method::GET, ["list"]) => {
            let path = InnerPath::parse(query.optional("path").unwrap_or("/workspace"))?;
            Ok(json(StatusCode::OK, &files::list(sandbox, path, query.number("depth", 1)?).await?))
        }
        (&Method::GET, ["watch"]) => {
            let path = InnerPath::parse(query.optional("path").unwrap_or("/workspace"))?;
            Ok(streamed("application/x-ndjson", None, watch::watch(sandbox, path, query.flag("recursive", true)?).await?))
        }
        (&Method::POST, ["mkdir"]) => match read_json::<FolderBody>(request.into_body()).await {
            Ok(body) => files::make_folder(sandbox, InnerPath::parse(&body.path)?, body.parents).await.map(|()| nothing()),
            Err(response) => Ok(response),
        },
        (&Method::DELETE, []) => {
            let path = InnerPath::parse(query.text("path")?)?;
            files::delete(sandbox, path, query.flag("recursive", false)?).await.map(|()| nothing())
        }
        _ => Err(unknown(&request)),
    }
}

async fn put_file(sandbox: &Sandbox, query: &Query, request: Request<Incoming>) -> Answer {
    let path = InnerPath::parse(query.text("path")?)?;
    let mode = u32::from_str_radix(query.optional("mode").unwrap_or(DEFAULT_MODE), 8)
        .map_err(|_| Problem::invalid("mode is octal, such as 0644"))?;
    let how = Writing { path: path.clone(), mode, parents: query.flag("parents", true)?, limit: sandbox.spec.limits.file_bytes };
    let (sender, receiver) = mpsc::channel(files::PIECES);
    let feeding = tokio::spawn(feed(request.into_body(), sender));
    let size = files::write(sandbox, how, receiver).await;
    let _ = feeding.await;
    Ok(json(StatusCode::OK, &object!({"path": path.shown(), "size": size?})))
}

/// Passes a body on; what nobody takes is read all the same, to a limit, so that the sender gets to read the answer.
async fn feed(mut body: Incoming, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut wasted = 0;
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
            Err(error) => Err(io::Error::other(error)),
        };
        let (length, broken) = (piece.as_ref().map_or(0, Bytes::len), piece.is_err());
        if sender.send(piece).await.is_err() {
            wasted += length;
        }
        if broken || wasted > WASTE {
            return;
        }
    }
}

fn streamed(kind: &'static str, length: Option<u64>, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Response<Body> {
    let frames = futures_util::stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece.map(Frame::data).map_err(Into::into), pieces))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn nothing() -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn unknown(request: &Request<Incoming>) -> Problem {
    Problem::not_found(format!("{} {}", request.method(), request.uri().path()))
}
