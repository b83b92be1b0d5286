//! Making processes: clone3 with namespaces, from a single-threaded process only.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, waitpid},
};

/// Not from libc, whose constant does not fit its own type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What a new process is to be.
#[derive(Default)]
pub struct Birth<'a> {
    /// `CLONE_NEW*` bits.
    pub namespaces: u64,
    /// A cgroup v2 directory to be born in.
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// Which side of the call this is.
pub enum Cloned {
    /// The new process.
    Child,
    /// The old one, with what it needs to look after the new one.
    Parent {
        /// The child's id in the caller's pid namespace.
        pid: Pid,
        /// The child, safe from reuse of its id.
        pidfd: OwnedFd,
    },
}

/// Copies this process, which must have one thread, into new namespaces.
pub fn clone_process(what: &Birth<'_>) -> io::Result<Cloned> {
    single_threaded()?;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain data, and all zeroes is its documented default.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = what.namespaces | u64::from(libc::CLONE_PIDFD.cast_unsigned());
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    if let Some(cgroup) = what.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM this is a fork. The process has one thread (checked above), so that no lock is held by
    // a thread that the child would not have, and the child may go on with ordinary code.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Cloned::Child),
        pid => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel has just put a new descriptor of ours there (CLONE_PIDFD), and nobody else knows it.
            Ok(Cloned::Parent { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
        }
    }
}

/// Ends this process at once: no destructors, no buffers of a parent written twice.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Moves this process, which must have one thread, into new namespaces.
pub fn unshare_namespaces(flags: libc::c_int) -> io::Result<()> {
    single_threaded()?;
    // SAFETY: with one thread no other code can see descriptors or memory change owner under it.
    if unsafe { libc::unshare(flags) } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Runs `work` in a copy of this process and hands back what it found out: the way to try what cannot be undone.
pub fn fork_and_report(work: impl FnOnce() -> Result<String, String>) -> io::Result<Result<String, String>> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    match clone_process(&Birth::default())? {
        Cloned::Child => {
            drop(reader);
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            let (mark, text) = match work() {
                Ok(text) => ('+', text),
                Err(text) => ('-', text),
            };
            let _ = File::from(writer).write_all(format!("{mark}{text}").as_bytes());
            exit_now(0)
        }
        Cloned::Parent { pid, .. } => {
            drop(writer);
            let mut text = String::new();
            let read = File::from(reader).read_to_string(&mut text);
            while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
            read?;
            Ok(match text.strip_prefix('+') {
                Some(detail) => Ok(detail.to_owned()),
                None => Err(text.strip_prefix('-').unwrap_or("the trial process died").to_owned()),
            })
        }
    }
}

fn single_threaded() -> io::Result<()> {
    // In a new pid namespace the old /proc has no "self": such a process was itself made here, with one thread.
    match fs::read_dir("/proc/self/task") {
        Ok(tasks) => {
            if tasks.count() > 1 {
                Err(io::Error::other("this call needs a process with one thread"))
            } else {
                Ok(())
            }
        }
        Err(_) => Ok(()),
    }
}
