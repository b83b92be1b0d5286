//! The spawner: a process of one thread and no secrets, because what it forks carries its memory.
//!
//! It launches and reaps; the front tells it what, over a socket. When the front goes, it ends every sandbox and itself.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
};

use openmiosa_sys::{Birth, Cloned, clone_process, exit_now};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, setsid, waitid},
};
use serde::{Deserialize, Serialize};

use crate::{
    control,
    launch::{Ground, launch},
    limits::Groups,
    redirect::Network,
    spec::LaunchOrder,
};

/// What the front asks for: one sandbox.
pub type Request = LaunchOrder;

/// What the spawner says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Report {
    /// A sandbox runs. With it come the descriptors of its process, its init, its root and its sockets.
    Launched {
        /// Which.
        id: String,
        /// Its PID 1.
        pid: i32,
        /// Its network.
        network: Network,
        /// How many of the sockets listen; the others are UDP.
        tcp: usize,
        /// Its control groups.
        groups: Groups,
    },
    /// A sandbox could not be made.
    Failed {
        /// Which.
        id: String,
        /// The step and the kernel's word.
        why: String,
    },
    /// Its processes are gone, and so are its control groups.
    Gone {
        /// Which.
        id: String,
    },
}

struct Child {
    id: String,
    pidfd: OwnedFd,
    groups: Groups,
}

/// Forks the spawner off. For a process with one thread, which goes on as the front with the socket that comes back.
pub fn fork(spawners: OwnedFd, fronts: OwnedFd, ground: &Ground) -> io::Result<OwnedFd> {
    match clone_process(&Birth::default())? {
        Cloned::Parent { .. } => {
            drop(spawners);
            Ok(fronts)
        }
        Cloned::Child => {
            drop(fronts);
            // A terminal's interrupt is for the front, which ends this process by going away.
            let _ = setsid();
            let _ = rustix::thread::set_name(c"cell-spawner");
            run(&spawners, ground);
            exit_now(0)
        }
    }
}

/// Serves the front until it goes.
fn run(front: &OwnedFd, ground: &Ground) {
    let mut children: HashMap<u64, Child> = HashMap::new();
    let mut next = 0;
    loop {
        match wait(front, &children) {
            Ok((speaks, ended)) => {
                for number in ended {
                    if let Some(child) = children.remove(&number) {
                        bury(front, &child);
                    }
                }
                if !speaks {
                    continue;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the spawner cannot wait");
                break;
            }
        }
        let Ok((request, _)) = control::receive(front) else { break };
        if request.is_empty() {
            break;
        }
        if let Some(child) = serve(front, ground, &request) {
            children.insert(next, child);
            next += 1;
        }
    }
    for child in children.values() {
        end(child);
    }
    ground.hierarchy.remove();
}

/// Whether the front speaks, and which children have ended.
fn wait(front: &OwnedFd, children: &HashMap<u64, Child>) -> io::Result<(bool, Vec<u64>)> {
    let numbers: Vec<u64> = children.keys().copied().collect();
    let mut waits = vec![PollFd::new(front, PollFlags::IN)];
    waits.extend(numbers.iter().map(|n| PollFd::new(&children[n].pidfd, PollFlags::IN)));
    loop {
        match poll(&mut waits, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    let ended = numbers.iter().zip(&waits[1..]).filter(|(_, w)| !w.revents().is_empty()).map(|(n, _)| *n).collect();
    Ok((!waits[0].revents().is_empty(), ended))
}

fn serve(front: &OwnedFd, ground: &Ground, request: &[u8]) -> Option<Child> {
    let order: Request = match serde_json::from_slice(request) {
        Ok(order) => order,
        Err(error) => {
            tracing::error!(%error, "the front said something unknown");
            return None;
        }
    };
    match launch(&order, ground) {
        Ok(launched) => {
            let tcp = launched.sockets.len().saturating_sub(1);
            let report = Report::Launched {
                id: order.id.clone(),
                pid: launched.pid.as_raw_nonzero().get(),
                network: launched.network,
                tcp,
                groups: launched.groups.clone(),
            };
            let fixed = [&launched.pidfd, &launched.control, &launched.root];
            let descriptors: Vec<_> = fixed.into_iter().chain(&launched.sockets).map(AsFd::as_fd).collect();
            say(front, &report, &descriptors);
            // The channel to init stays with the front alone: when it closes there, the sandbox ends.
            Some(Child { id: order.id, pidfd: launched.pidfd, groups: launched.groups })
        }
        Err(error) => {
            say(front, &Report::Failed { id: order.id, why: error.to_string() }, &[]);
            None
        }
    }
}

fn bury(front: &OwnedFd, child: &Child) {
    reap(child);
    say(front, &Report::Gone { id: child.id.clone() }, &[]);
}

fn end(child: &Child) {
    let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    let _ = child.groups.freeze(false);
    reap(child);
}

fn reap(child: &Child) {
    let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
    child.groups.remove();
}

fn say(front: &OwnedFd, report: &Report, descriptors: &[std::os::fd::BorrowedFd<'_>]) {
    let sent = serde_json::to_vec(report).map_err(io::Error::from).and_then(|bytes| control::send(front, &bytes, descriptors));
    if let Err(error) = sent {
        tracing::warn!(%error, "the front cannot be told");
    }
}
