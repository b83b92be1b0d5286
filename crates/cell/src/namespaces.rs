//! Step 1: the namespaces that a sandbox lives in, and the one user that it lives as.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
};

use openmiosa_sys::{Birth, Cloned, clone_process, unshare_namespaces};
use rustix::{
    fs::{Mode as FileMode, OFlags, openat},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitOptions, kill_process, set_parent_process_death_signal, waitpid},
    thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::{
    error::{Doing, StepError},
    identity::{AGENT, Ids, Mode},
};

/// Nothing below a sandbox may make namespaces of its own: most kernel bugs of recent years began with one.
const COUNTERS: [&str; 8] = ["user", "net", "mnt", "pid", "ipc", "uts", "cgroup", "time"];

/// A copy of this process with mounts, processes, messages, a name and a network of its own.
pub fn clone_into(mode: Mode, cgroup: Option<&OwnedFd>) -> Result<Cloned, StepError> {
    let mut flags = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;
    if mode == Mode::Rootless {
        flags |= libc::CLONE_NEWUSER;
    }
    let birth = Birth { namespaces: u64::from(flags.cast_unsigned()), cgroup: cgroup.map(AsFd::as_fd) };
    clone_process(&birth).doing("make the sandbox's namespaces")
}

/// Started by root: a user namespace whose creator is an id that nobody else uses.
pub fn user_namespace(ids: Ids) -> Result<OwnedFd, StepError> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).doing("make a pipe")?;
    match clone_process(&Birth::default()).doing("fork for the user namespace")? {
        Cloned::Child => {
            drop(reader);
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            let word = if own_user_namespace(ids).is_ok() { b"u" } else { b"x" };
            let _ = File::from(writer).write_all(word);
            loop {
                std::thread::park();
            }
        }
        Cloned::Parent { pid, .. } => {
            drop(writer);
            let result = adopt_user_namespace(reader, pid, ids);
            let _ = kill_process(pid, Signal::KILL);
            while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
            result
        }
    }
}

fn own_user_namespace(ids: Ids) -> Result<(), StepError> {
    set_thread_groups(&[]).doing("give up groups")?;
    let (uid, gid) = (user(ids.owner), group(ids.owner));
    set_thread_res_gid(gid, gid, gid).doing("become the owner's group")?;
    set_thread_res_uid(uid, uid, uid).doing("become the owner")?;
    unshare_namespaces(libc::CLONE_NEWUSER).doing("make a user namespace")
}

fn adopt_user_namespace(reader: OwnedFd, pid: Pid, ids: Ids) -> Result<OwnedFd, StepError> {
    let mut word = [0];
    File::from(reader).read_exact(&mut word).doing("wait for the user namespace")?;
    if word != *b"u" {
        return Err(StepError::new("make a user namespace", "refused by the kernel; is user.max_user_namespaces 0?"));
    }
    let process = pid.as_raw_nonzero();
    for map in ["uid_map", "gid_map"] {
        let path = format!("/proc/{process}/{map}");
        fs::write(&path, format!("0 {} 65536", ids.base)).doing_to("write", &path)?;
    }
    let path = format!("/proc/{process}/ns/user");
    Ok(File::open(&path).doing_to("open", &path)?.into())
}

/// Started by anybody: maps the agent inside to the caller outside, which needs no helper program.
pub fn map_to_caller(pid: Pid) -> Result<(), StepError> {
    let process = pid.as_raw_nonzero();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    for (file, text) in [("setgroups", "deny".to_owned()), ("uid_map", format!("{AGENT} {uid} 1")), ("gid_map", format!("{AGENT} {gid} 1"))]
    {
        let path = format!("/proc/{process}/{file}");
        fs::write(&path, text).doing_to("write", &path)?;
    }
    Ok(())
}

/// A hold on `/proc/sys/user` from before it is made read-only.
pub fn open_counters(root: impl AsFd) -> Result<OwnedFd, StepError> {
    openat(root, "proc/sys/user", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, FileMode::empty()).doing("open proc/sys/user")
}

/// Enters the user namespace, if it is not there yet.
pub fn join(namespace: Option<&OwnedFd>) -> Result<(), StepError> {
    match namespace {
        Some(namespace) => move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User)).doing("enter the user namespace"),
        None => Ok(()),
    }
}

/// Sets the number of namespaces that may be made from here on to none.
pub fn forbid_more(counters: &OwnedFd) -> Result<(), StepError> {
    for name in COUNTERS {
        let file = format!("max_{name}_namespaces");
        let opened = openat(counters, file.as_str(), OFlags::WRONLY | OFlags::CLOEXEC, FileMode::empty()).doing_to("open", &file)?;
        File::from(opened).write_all(b"0").doing_to("write", &file)?;
    }
    Ok(())
}

/// Becomes the agent, for good.
pub fn become_agent(mode: Mode) -> Result<(), StepError> {
    if mode == Mode::Root {
        set_thread_groups(&[]).doing("give up groups")?;
    }
    let (uid, gid) = (user(AGENT), group(AGENT));
    set_thread_res_gid(gid, gid, gid).doing("become the agent's group")?;
    set_thread_res_uid(uid, uid, uid).doing("become the agent")
}

fn user(id: u32) -> rustix::process::Uid {
    rustix::process::Uid::from_raw(id)
}

fn group(id: u32) -> rustix::process::Gid {
    rustix::process::Gid::from_raw(id)
}
