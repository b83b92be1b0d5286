//! `cell`: makes sandboxes and looks after them. This file wires and waits.

use std::{os::fd::OwnedFd, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use openmiosa_cell::{
    cgroups::Hierarchy,
    control,
    front::{self, Options, Stopped},
    host::Host,
    launch::Ground,
    spawner,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Wrong options or folders.
const BAD_CONFIGURATION: u8 = 2;
/// The options are fine, but it cannot start or go on.
const COULD_NOT_START: u8 = 3;

/// Makes sandboxes: the only program of the system that touches the isolation of the kernel.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Option<Serve>,
}

#[derive(Subcommand)]
enum Command {
    /// Tries what this host can do, and says what to do about the rest.
    Check {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Serve {
    /// The folder of the sockets.
    #[arg(long)]
    run_dir: PathBuf,
    /// The folder of the sandboxes' files.
    #[arg(long)]
    state_dir: PathBuf,
    /// A user, beside root and this one, that may ask for sandboxes. May be repeated.
    #[arg(long)]
    peer_uid: Vec<u32>,
    /// The user that egressd runs as, when it is another one.
    #[arg(long)]
    egress_uid: Option<u32>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match (arguments.command, arguments.serve) {
        (Some(Command::Check { json }), _) => check(json),
        (None, Some(serve)) => {
            tracing_subscriber::fmt()
                .json()
                .with_writer(std::io::stderr)
                .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("OPENMIOSA_LOG").unwrap_or_else(|_| "info".into()))
                .init();
            run(serve)
        }
        (None, None) => {
            tracing::error!("name --run-dir and --state-dir, or the command check");
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

#[expect(clippy::print_stdout, reason = "its output is what the command is for")]
fn check(json: bool) -> ExitCode {
    let host = Host::look(&std::env::temp_dir());
    if json {
        println!("{}", serde_json::to_string_pretty(&host).unwrap_or_default());
    } else {
        for check in &host.checks {
            let word = if check.ok {
                "ok"
            } else if check.required {
                "MISSING"
            } else {
                "without"
            };
            println!("{word:8} {:16} {}", check.name, check.detail);
            if !check.ok {
                println!("{:25} {}", "", check.remedy);
            }
        }
    }
    if host.missing().is_none() { ExitCode::SUCCESS } else { ExitCode::from(COULD_NOT_START) }
}

fn run(serve: Serve) -> ExitCode {
    let (state, _lock) = match prepare(&serve) {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the folders cannot be used");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    // Everything that forks comes before the first thread.
    let started = split(&state).and_then(|(host, spawner)| {
        let options = Options { run: serve.run_dir, state, peers: serve.peer_uid, gateway: serve.egress_uid };
        tokio::runtime::Runtime::new()?.block_on(answer(options, host, spawner))
    });
    match started {
        Ok(Stopped::Asked) => ExitCode::SUCCESS,
        Ok(Stopped::SpawnerLost) => ExitCode::from(COULD_NOT_START),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cell cannot go on");
            ExitCode::from(COULD_NOT_START)
        }
    }
}

fn prepare(serve: &Serve) -> anyhow::Result<(PathBuf, OwnedFd)> {
    use std::os::unix::fs::DirBuilderExt;
    for folder in [&serve.run_dir, &serve.state_dir] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| folder.display().to_string())?;
    }
    let state = serve.state_dir.canonicalize()?;
    std::fs::create_dir_all(state.join("stage"))?;
    let lock = front::lock(&state).with_context(|| format!("another cell works in {}", state.display()))?;
    Ok((state, lock))
}

/// Sees what the host can do and forks the spawner off.
fn split(state: &std::path::Path) -> anyhow::Result<(Host, OwnedFd)> {
    Hierarchy::sweep_former(state);
    let (hierarchy, groups) = Hierarchy::prepare(state);
    hierarchy.record(state)?;
    let host = Host::examine(&hierarchy, &groups);
    let ground = Ground::prepare(&host, hierarchy, state.join("stage")).context("preparing the ground for sandboxes")?;
    let (ours, theirs) = control::pair()?;
    spawner::fork(theirs, ours, &ground).map(|ours| (host, ours)).context("forking the spawner")
}

async fn answer(options: Options, host: Host, spawner: OwnedFd) -> anyhow::Result<Stopped> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(front::run(options, host, spawner, stop).await?)
}
