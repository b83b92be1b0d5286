//! The life of a launch: the list of its steps, in order, one file each.
//!
//! [`launch`] runs in the spawner, [`inside`] in the new process, which never returns.

use std::{
    convert::Infallible,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::Duration,
};

use openmiosa_sys::{Cloned, exit_now, unshare_namespaces};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::Mode as FileMode,
    process::{Pid, Signal, pidfd_send_signal, set_parent_process_death_signal},
};

use crate::{
    cgroups::Hierarchy,
    control,
    error::{Doing, StepError},
    exec,
    host::Host,
    identity::{Ids, Mode},
    init::{self, Said},
    limits::{self, Groups},
    namespaces,
    redirect::{self, Network, Steering},
    rootfs,
    seccomp::Filters,
    spec::LaunchOrder,
};

/// More than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(20);
const RELEASE: &[u8] = b"go";

/// What every launch on this host shares.
pub struct Ground {
    /// With whose power.
    pub mode: Mode,
    /// How connections find the gateway.
    pub steering: Steering,
    /// Where control groups are made.
    pub hierarchy: Hierarchy,
    /// The system call filters.
    pub filters: Filters,
    /// Init.
    pub program: OwnedFd,
    /// An empty folder to build roots on.
    pub stage: PathBuf,
}

impl Ground {
    /// Compiles and opens what launches share.
    pub fn prepare(host: &Host, hierarchy: Hierarchy, stage: PathBuf) -> Result<Self, StepError> {
        let program = init::program().doing("put init into memory")?;
        // What is made for a sandbox is its agent's to read, however private cell was told to be; cell's own folders say their mode.
        rustix::process::umask(FileMode::WGRP | FileMode::WOTH);
        Ok(Self { mode: host.mode, steering: host.steering, hierarchy, filters: Filters::compile()?, program, stage })
    }
}

/// A sandbox whose init runs.
pub struct Launched {
    /// Its PID 1, seen from here.
    pub pid: Pid,
    /// The same, safe from reuse.
    pub pidfd: OwnedFd,
    /// Its control groups.
    pub groups: Groups,
    /// The channel to init.
    pub control: OwnedFd,
    /// Its root folder.
    pub root: OwnedFd,
    /// Its network.
    pub network: Network,
    /// TCP listeners, then UDP sockets.
    pub sockets: Vec<OwnedFd>,
}

/// Makes a sandbox.
pub fn launch(order: &LaunchOrder, ground: &Ground) -> Result<Launched, StepError> {
    let ids = Ids::of(ground.mode, order.slot);
    let user_namespace = if ground.mode == Mode::Root { Some(namespaces::user_namespace(ids)?) } else { None };
    let groups = Groups::make(&ground.hierarchy, &order.id, &order.limits)?;
    let (control, theirs) = control::pair().doing("make the control channel")?;
    let birthplace = groups.birthplace()?;
    match namespaces::clone_into(ground.mode, birthplace.as_ref()) {
        Ok(Cloned::Child) => {
            drop(control);
            live(order, ground, ids, user_namespace.as_ref(), &groups, theirs)
        }
        Ok(Cloned::Parent { pid, pidfd }) => {
            drop(theirs);
            let result = attend(ground, &groups, pid, control);
            match result {
                Ok((control, root, network, sockets)) => Ok(Launched { pid, pidfd, groups, control, root, network, sockets }),
                Err(error) => {
                    abandon(&groups, &pidfd);
                    Err(error)
                }
            }
        }
        Err(error) => {
            groups.remove();
            Err(error)
        }
    }
}

/// The new process: the steps, or a word about the one that failed.
fn live(order: &LaunchOrder, ground: &Ground, ids: Ids, user_namespace: Option<&OwnedFd>, groups: &Groups, control: OwnedFd) -> ! {
    let spare = control.try_clone();
    let Err(error) = inside(order, ground, ids, user_namespace, groups, control);
    if let Ok(control) = spare {
        let _ = control::send(&control, format!("!{error}").as_bytes(), &[]);
    }
    exit_now(1)
}

fn inside(
    order: &LaunchOrder,
    ground: &Ground,
    ids: Ids,
    user_namespace: Option<&OwnedFd>,
    groups: &Groups,
    control: OwnedFd,
) -> Result<Infallible, StepError> {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let (word, _) = control::receive(&control).doing("wait for the spawner")?;
    if word != RELEASE {
        return Err(StepError::new("wait for the spawner", "it has gone"));
    }
    let program = ground.program.try_clone().doing("take init")?;
    let listeners = redirect::set_up(ground.steering)?;
    unshare_namespaces(libc::CLONE_NEWCGROUP).doing("hide the control groups")?;
    rustix::system::sethostname(order.hostname.as_bytes()).doing("set the host name")?;
    let root = rootfs::build(order, ground.mode, ids, &ground.stage)?;
    let sockets: Vec<_> = std::iter::once(&root.folder).chain(&listeners.tcp).chain(&listeners.udp).map(AsFd::as_fd).collect();
    let report = serde_json::to_vec(&listeners.network).map_err(std::io::Error::from).doing("describe the network")?;
    control::send(&control, &report, &sockets).doing("hand the sockets over")?;
    namespaces::join(user_namespace)?;
    namespaces::forbid_more(&root.counters)?;
    namespaces::become_agent(ground.mode)?;
    exec::become_init(control, program, || limits::limit_processes(&order.limits, groups.exist()), &ground.filters)
}

/// The spawner's part: let it go on, and listen until init runs.
fn attend(ground: &Ground, groups: &Groups, pid: Pid, control: OwnedFd) -> Result<(OwnedFd, OwnedFd, Network, Vec<OwnedFd>), StepError> {
    groups.attach(pid)?;
    if ground.mode == Mode::Rootless {
        namespaces::map_to_caller(pid)?;
    }
    control::send(&control, RELEASE, &[]).doing("release the new process")?;
    let (report, descriptors) = hear(&control)?;
    let network = serde_json::from_slice(&report).map_err(std::io::Error::from).doing("read the report of the new process")?;
    let mut descriptors = descriptors.into_iter();
    let root = descriptors.next().ok_or_else(|| StepError::new("read the report of the new process", "no root folder in it"))?;
    let (ready, _) = hear(&control)?;
    if init::parse(&ready) != Some(Said::Ready) {
        return Err(StepError::new("wait for init", "it said something else than ready"));
    }
    Ok((control, root, network, descriptors.collect()))
}

fn hear(control: &OwnedFd) -> Result<(Vec<u8>, Vec<OwnedFd>), StepError> {
    let timeout = Timespec { tv_sec: i64::try_from(PATIENCE.as_secs()).unwrap_or(20), tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(control, PollFlags::IN)], Some(&timeout)).doing("wait for the new process")?;
    if ready == 0 {
        return Err(StepError::new("wait for the new process", "it did not answer in time"));
    }
    let (bytes, descriptors) = control::receive(control).doing("hear the new process")?;
    match bytes.split_first() {
        None => Err(StepError::new("hear the new process", "it ended without a word")),
        Some((b'!', why)) => Err(StepError::new("set up the sandbox", &String::from_utf8_lossy(why))),
        Some(_) => Ok((bytes, descriptors)),
    }
}

/// Ends and forgets what did not become a sandbox.
fn abandon(groups: &Groups, pidfd: &OwnedFd) {
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
    let _ = groups.freeze(false);
    let _ = rustix::process::waitid(rustix::process::WaitId::PidFd(pidfd.as_fd()), rustix::process::WaitIdOptions::EXITED);
    groups.remove();
}
