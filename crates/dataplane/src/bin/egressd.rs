//! egressd: everything between a sandbox's `connect()` and the upstream. Reads its configuration, builds, serves, drains.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use openmiosa_journal::Shipper;
use openmiosa_link::{Client, PeerPolicy, server};
use openmiosa_proxy::{Gateway, Settings, cell, control, dns, greet, harden, leases};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A bad configuration, as opposed to a machine that is not as it should be.
const BAD_CONFIGURATION: u8 = 2;
const COULD_NOT_START: u8 = 3;
/// The server commits a batch in less.
const SHIP_LIMIT: Duration = Duration::from_secs(10);
/// Server and egressd may run under different users of one group.
const SOCKET_MODE: u32 = 0o660;

/// The gateway between sandboxes and everything outside of them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder of the sockets.
    #[arg(long)]
    run_dir: PathBuf,
    /// The folder of the journal.
    #[arg(long)]
    journal_dir: PathBuf,
    /// The configuration file, shared with the server.
    #[arg(long)]
    config: PathBuf,
    /// A user id that may call, beside root and this process's own.
    #[arg(long = "peer-uid")]
    peer_uids: Vec<u32>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match Settings::read(&arguments.config) {
        Ok(settings) => settings,
        Err(error) => return fail(BAD_CONFIGURATION, &error.into()),
    };
    let filter = EnvFilter::try_new(&settings.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Err(error) = settings.check() {
        return fail(BAD_CONFIGURATION, &error.into());
    }
    match harden::process().context("hardening the process").and_then(|()| run(&arguments, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(COULD_NOT_START, &error),
    }
}

fn run(arguments: &Arguments, settings: Settings) -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments, settings))?;
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(())
}

async fn serve(arguments: &Arguments, settings: Settings) -> anyhow::Result<()> {
    let drain = Duration::from_millis(settings.egress.drain_ms);
    let gateway = Gateway::build(settings, &arguments.run_dir, &arguments.journal_dir)?;
    let peers = PeerPolicy::new(&arguments.peer_uids);
    let socket = server::bind(&arguments.run_dir.join("egressd.sock"), SOCKET_MODE).context("binding egressd.sock")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let handler = Arc::clone(&gateway);
    let stop_control = gateway.stop.child_token();
    tokio::spawn(server::serve(socket, peers.clone(), stop_control, move |request| control::handle(Arc::clone(&handler), request)));
    let events = Arc::new(Client::new(&arguments.run_dir.join("link.sock"), SHIP_LIMIT));
    let shipper = Shipper::new(Arc::clone(&gateway.journal), events, &gateway.id);
    tokio::spawn(shipper.run());
    tokio::spawn(greet::run(Arc::clone(&gateway)));
    tokio::spawn(cell::run(Arc::clone(&gateway), arguments.run_dir.join("listeners.sock"), peers));
    tokio::spawn(dns::window::run(Arc::clone(&gateway)));
    tokio::spawn(leases::expire(Arc::clone(&gateway)));
    tracing::info!(gateway = %gateway.id, boot = %gateway.boot, version = env!("CARGO_PKG_VERSION"), "ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    gateway.drain(drain).await;
    Ok(())
}

/// The log may not be there yet, so a failure to start also goes to standard error in plain words.
fn fail(code: u8, error: &anyhow::Error) -> ExitCode {
    tracing::error!(error = format!("{error:#}"), "egressd cannot run");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("egressd: {error:#}\n").as_bytes());
    ExitCode::from(code)
}
