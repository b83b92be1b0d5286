//! The trials: each does what a launch will do, in a process that is thrown away.

use std::{
    ffi::CString,
    fs,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use openmiosa_sys::{Birth, Cloned, MountFlags, clone_process, exec_descriptor, exit_now, set_mount_flags, unshare_namespaces};
use rustix::{
    fs::CWD,
    mount::{MountFlags as Flags, MountPropagationFlags, mount, mount_change},
    process::{WaitId, WaitIdOptions, waitid},
};

use crate::{
    control,
    identity::{AGENT, Mode},
    init, nft,
    redirect::{self, Steering},
    seccomp::Filters,
};

/// One thing to try.
pub struct Trial {
    /// Its name.
    pub name: &'static str,
    /// Whether sandboxes are impossible without it.
    pub required: bool,
    /// What to do when it does not work.
    pub remedy: &'static str,
    /// The trial; the text says what was found.
    pub run: fn(Mode) -> Result<String, String>,
}

/// All of them.
pub const TRIALS: &[Trial] = &[
    Trial {
        name: "user_namespaces",
        required: true,
        remedy: "Allow them: sysctl -w user.max_user_namespaces=15000 (on older Debian also kernel.unprivileged_userns_clone=1), or run cell as root. In a container, start it with a seccomp \
                 profile that allows unshare.",
        run: user_namespaces,
    },
    Trial {
        name: "apparmor",
        required: true,
        remedy: "This kernel takes all power from user namespaces of programs without a profile. Run cell as root, or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give cell an \
                 AppArmor profile with the line 'userns,'.",
        run: apparmor,
    },
    Trial {
        name: "mounts",
        required: true,
        remedy: "A sandbox needs mounts of its own and mount_setattr: Linux 5.12 or newer, and in a container a profile that allows mount.",
        run: mounts,
    },
    Trial {
        name: "proc",
        required: true,
        remedy: "A new /proc may be mounted only where the present one shows everything: outside of containers, or in one with --security-opt systempaths=unconfined.",
        run: new_proc,
    },
    Trial {
        name: "loopback",
        required: true,
        remedy: "A network namespace could not be set up: the kernel needs NET_NS, and IPv6 must not be disabled on the command line.",
        run: loopback,
    },
    Trial {
        name: "nft_tproxy",
        required: false,
        remedy: "Only the ports 53, 80 and 443 are taken to the gateway, and other ports lead nowhere. For all ports load the modules: modprobe nf_tables nft_tproxy.",
        run: tproxy,
    },
    Trial {
        name: "overlay",
        required: false,
        remedy: "Templates with layers cannot be used. Load the module: modprobe overlay; unprivileged it needs Linux 5.11 or newer.",
        run: overlay,
    },
    Trial {
        name: "landlock",
        required: false,
        remedy: "One of several walls is missing. It needs Linux 5.13 or newer with landlock in the list of the lsm= parameter.",
        run: landlock,
    },
    Trial { name: "seccomp", required: true, remedy: "The kernel needs CONFIG_SECCOMP_FILTER.", run: seccomp },
    Trial {
        name: "memfd_exec",
        required: true,
        remedy: "Programs in memory must be executable: sysctl -w vm.memfd_noexec=0.",
        run: memfd_exec,
    },
];

/// The version of Landlock, 0 for none.
pub fn landlock_version() -> u32 {
    openmiosa_sys::landlock_version()
}

/// Into namespaces, with all the power that a launch has there.
fn enter(mode: Mode, namespaces: libc::c_int) -> Result<(), String> {
    let flags = if mode == Mode::Rootless { namespaces | libc::CLONE_NEWUSER } else { namespaces };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare_namespaces(flags).map_err(|e| format!("new namespaces are refused: {e}"))?;
    if mode == Mode::Rootless {
        for (file, text) in
            [("setgroups", "deny".to_owned()), ("uid_map", format!("{AGENT} {uid} 1")), ("gid_map", format!("{AGENT} {gid} 1"))]
        {
            fs::write(format!("/proc/self/{file}"), text).map_err(|e| format!("the map of user ids is refused: {e}"))?;
        }
    }
    Ok(())
}

fn enter_mounts(mode: Mode) -> Result<(), String> {
    enter(mode, libc::CLONE_NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(said("mounts cannot be made private"))?;
    // In a namespace of one's own any folder will do.
    mount("tmpfs", "/tmp", "tmpfs", Flags::NOSUID, None).map_err(said("a tmpfs cannot be mounted"))
}

fn said<E: Into<std::io::Error>>(what: &str) -> impl FnOnce(E) -> String + '_ {
    move |error| format!("{what}: {}", error.into())
}

fn user_namespaces(mode: Mode) -> Result<String, String> {
    unshare_namespaces(libc::CLONE_NEWUSER).map_err(said("they are refused"))?;
    let limit = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    Ok(if mode == Mode::Root {
        "each sandbox gets user ids of its own".to_owned()
    } else {
        format!("the caller's id is used inside; at most {} namespaces", limit.trim())
    })
}

fn apparmor(mode: Mode) -> Result<String, String> {
    let setting = fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").unwrap_or_default();
    if mode == Mode::Root || setting.trim() != "1" {
        return Ok("no restriction".to_owned());
    }
    // With a profile it works all the same; what counts is whether there is power inside.
    enter_mounts(mode).map(|()| "restricted, but this program has a profile".to_owned())
}

fn mounts(mode: Mode) -> Result<String, String> {
    enter_mounts(mode)?;
    let flags = MountFlags { read_only: true, ..MountFlags::default() };
    set_mount_flags(CWD, Path::new("/tmp"), true, flags).map_err(said("mount_setattr is refused"))?;
    Ok("own mounts and their flags".to_owned())
}

fn new_proc(mode: Mode) -> Result<String, String> {
    enter(mode, libc::CLONE_NEWNS | libc::CLONE_NEWPID)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(said("mounts cannot be made private"))?;
    // The namespace of processes begins with the next child.
    in_child(|| mount("proc", "/tmp", "proc", Flags::NOSUID | Flags::NODEV | Flags::NOEXEC, None).is_ok())
        .then(|| "a new /proc can be mounted".to_owned())
        .ok_or_else(|| "a new /proc cannot be mounted".to_owned())
}

fn loopback(mode: Mode) -> Result<String, String> {
    enter(mode, libc::CLONE_NEWNET)?;
    redirect::set_up(Steering::Ports).map(|_| "all addresses can be made local".to_owned()).map_err(|e| e.to_string())
}

fn tproxy(mode: Mode) -> Result<String, String> {
    enter(mode, libc::CLONE_NEWNET)?;
    nft::steer(Ipv4Addr::new(198, 18, 0, 2), Ipv6Addr::LOCALHOST, 15001, 53).map_err(said("nf_tables with tproxy is refused"))?;
    Ok("every port is taken to the gateway".to_owned())
}

fn overlay(mode: Mode) -> Result<String, String> {
    enter_mounts(mode)?;
    for name in ["/tmp/a", "/tmp/b", "/tmp/c"] {
        fs::create_dir(name).map_err(said("a folder cannot be made"))?;
    }
    let private = if mode == Mode::Rootless { ",userxattr" } else { "" };
    let options = CString::new(format!("lowerdir=/tmp/a:/tmp/b{private}")).map_err(|e| e.to_string())?;
    mount("overlay", "/tmp/c", "overlay", Flags::RDONLY, options.as_c_str()).map_err(said("overlay is refused"))?;
    Ok("layers over /usr".to_owned())
}

fn landlock(_: Mode) -> Result<String, String> {
    match landlock_version() {
        0 => Err("not in this kernel, or not switched on".to_owned()),
        version => Ok(format!("version {version}")),
    }
}

fn seccomp(_: Mode) -> Result<String, String> {
    rustix::thread::set_no_new_privs(true).map_err(said("no_new_privs is refused"))?;
    let filters = Filters::compile().map_err(|e| e.to_string())?;
    filters.apply().map_err(|e| e.to_string())?;
    Ok("system calls are allowed by list".to_owned())
}

fn memfd_exec(_: Mode) -> Result<String, String> {
    let program = init::program().map_err(said("a sealed file in memory cannot be made"))?;
    let (ours, theirs) = control::pair().map_err(said("a socket cannot be made"))?;
    let worked = in_child_with(theirs, |theirs| {
        let Ok(null) = fs::File::open("/dev/null") else { return };
        if let Ok(program) = openmiosa_sys::arrange_descriptors(null.into(), theirs, program) {
            exec_descriptor(program.as_fd(), &[c"init"]);
        }
    });
    worked?;
    match control::receive(&ours) {
        Ok((said, _)) if init::parse(&said) == Some(init::Said::Ready) => Ok("a sealed program in memory runs".to_owned()),
        _ => Err("a program in memory does not start".to_owned()),
    }
}

/// Whether `work` said yes in a copy of this process.
fn in_child(work: impl FnOnce() -> bool) -> bool {
    match clone_process(&Birth::default()) {
        Ok(Cloned::Child) => exit_now(i32::from(!work())),
        Ok(Cloned::Parent { pidfd, .. }) => waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
            .is_ok_and(|status| status.is_some_and(|s| s.exit_status() == Some(0))),
        Err(_) => false,
    }
}

/// Runs `work` in a copy of this process that outlives the call.
fn in_child_with(descriptor: OwnedFd, work: impl FnOnce(OwnedFd)) -> Result<(), String> {
    match clone_process(&Birth::default()) {
        Ok(Cloned::Child) => {
            work(descriptor);
            exit_now(1)
        }
        Ok(Cloned::Parent { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
