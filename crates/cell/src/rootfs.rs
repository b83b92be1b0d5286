//! Step 2: a root file system made for this sandbox alone.
//!
//! A fresh tmpfs that ends read-only: `/usr` of the host (with layers over it), `/etc` from a named list, three
//! writable folders, `/proc` and `/dev` with what programs need. Nothing else of the host is there to be found.

use std::{
    ffi::CString,
    fs,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, PermissionsExt, symlink},
    },
    path::Path,
};

use openmiosa_sys::{MountFlags, assume_file_identity, set_mount_flags};
use rustix::{
    fs::{CWD, Mode as FileMode, OFlags, open},
    mount::{
        MountFlags as Flags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
        open_tree, unmount,
    },
    process::pivot_root,
};

use crate::{
    error::{Doing, StepError},
    etc,
    identity::{Ids, Mode},
    namespaces, proc,
    spec::{LaunchOrder, WRITABLE},
    trust,
};

/// Read-only, no set-user-id, no devices: how everything of the host is shown.
const SHOWN: MountFlags = MountFlags { read_only: true, no_suid: true, no_dev: true, no_exec: false };
/// Folders beside `/usr` that programs may be in, and that are links into it on a merged host.
const BESIDE_USR: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"];
/// Empty folders that programs expect.
const EMPTY: [&str; 12] = ["usr", "etc", "proc", "sys", "dev", "run", "var", "home", "home/agent", "workspace", "tmp", "opt"];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// What later steps need of the new root.
pub struct Root {
    /// The root folder itself.
    pub folder: OwnedFd,
    /// `/proc/sys/user`, from before it was made read-only.
    pub counters: OwnedFd,
}

/// Builds it and moves this process into it.
pub fn build(order: &LaunchOrder, mode: Mode, ids: Ids, stage: &Path) -> Result<Root, StepError> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).doing("make mounts private")?;
    let owner = ids.root_owner(mode);
    make_tmpfs(stage, &format!("mode=755,size=16m,uid={owner},gid={owner}"), Flags::NOSUID | Flags::NODEV)?;
    std::env::set_current_dir(stage).doing_to("enter", stage)?;
    write_files(order, mode, ids)?;
    show_programs(&order.layers, mode)?;
    show_etc()?;
    attach_writable(&order.folder)?;
    mount("proc", "proc", "proc", Flags::NOSUID | Flags::NODEV | Flags::NOEXEC, None).doing("mount /proc")?;
    let counters = namespaces::open_counters(CWD)?;
    make_devices(mode, ids)?;
    proc::mask()?;
    enter()?;
    let folder = open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, FileMode::empty()).doing("open the new root")?;
    Ok(Root { folder, counters })
}

/// Everything that is written rather than mounted; as the sandbox's own user 0 where it has one.
fn write_files(order: &LaunchOrder, mode: Mode, ids: Ids) -> Result<(), StepError> {
    let _assumed = if mode == Mode::Root {
        Some(assume_file_identity(openmiosa_sys::FileIdentity { uid: ids.base, gid: ids.base }).doing("write as the sandbox's user 0")?)
    } else {
        None
    };
    for name in EMPTY {
        make_folder(name)?;
    }
    symlink("/tmp", "var/tmp").doing("link var/tmp")?;
    etc::write(order)?;
    trust::install(&order.authority_pem)
}

fn show_programs(layers: &[std::path::PathBuf], mode: Mode) -> Result<(), StepError> {
    if layers.is_empty() {
        show(Path::new("/usr"), "usr")?;
    } else {
        let mut lower = layers.iter().map(|l| l.display().to_string()).collect::<Vec<_>>();
        lower.push("/usr".to_owned());
        let private = if mode == Mode::Rootless { ",userxattr" } else { "" };
        let options = CString::new(format!("lowerdir={}{private}", lower.join(":"))).doing("name the layers")?;
        mount("overlay", "usr", "overlay", Flags::RDONLY | Flags::NOSUID | Flags::NODEV, options.as_c_str())
            .doing("lay the layers over /usr")?;
    }
    for name in BESIDE_USR {
        let on_host = Path::new("/").join(name);
        let Ok(found) = fs::symlink_metadata(&on_host) else { continue };
        if found.is_symlink() {
            let target = fs::read_link(&on_host).doing_to("read", &on_host)?;
            symlink(target, name).doing_to("link", name)?;
        } else if found.is_dir() {
            make_folder(name)?;
            show(&on_host, name)?;
        }
    }
    Ok(())
}

fn show_etc() -> Result<(), StepError> {
    for (source, target) in etc::folders() {
        make_folder(&target)?;
        show(&source, &target)?;
    }
    Ok(())
}

fn attach_writable(folder: &Path) -> Result<(), StepError> {
    for (name, inside) in WRITABLE {
        let source = folder.join(name);
        attach(&source, inside, MountFlags { no_suid: true, no_dev: true, ..MountFlags::default() }, false)?;
    }
    Ok(())
}

/// Shows a tree of the host, with what is mounted below it.
fn show(source: &Path, target: &str) -> Result<(), StepError> {
    attach(source, target, SHOWN, true)
}

fn attach(source: &Path, target: &str, flags: MountFlags, recursive: bool) -> Result<(), StepError> {
    let mut how = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        how |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, source, how).doing_to("show", source)?;
    set_mount_flags(&tree, Path::new(""), recursive, flags).doing_to("protect", source)?;
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).doing_to("place", target)
}

fn make_devices(mode: Mode, ids: Ids) -> Result<(), StepError> {
    let owner = ids.root_owner(mode);
    make_tmpfs(Path::new("dev"), &format!("mode=755,size=64k,uid={owner},gid={owner}"), Flags::NOSUID | Flags::NOEXEC)?;
    for name in DEVICES {
        let target = format!("dev/{name}");
        fs::write(&target, "").doing_to("make", &target)?;
        let flags = MountFlags { no_suid: true, no_exec: true, ..MountFlags::default() };
        attach(&Path::new("/dev").join(name), &target, flags, false)?;
    }
    for (target, name) in DEVICE_LINKS {
        symlink(target, Path::new("dev").join(name)).doing_to("link dev", name)?;
    }
    make_folder("dev/pts")?;
    make_folder("dev/shm")?;
    let terminals = if mode == Mode::Root {
        format!("newinstance,ptmxmode=0666,mode=620,gid={},max=256", ids.base + 5)
    } else {
        "newinstance,ptmxmode=0666,mode=600,max=256".to_owned()
    };
    let terminals = CString::new(terminals).doing("name the options of devpts")?;
    mount("devpts", "dev/pts", "devpts", Flags::NOSUID | Flags::NOEXEC, terminals.as_c_str()).doing("mount /dev/pts")?;
    make_tmpfs(Path::new("dev/shm"), &format!("mode=1777,size=256m,uid={owner},gid={owner}"), Flags::NOSUID | Flags::NODEV)?;
    set_mount_flags(CWD, Path::new("dev"), false, MountFlags { read_only: true, ..MountFlags::default() }).doing("make /dev read-only")
}

fn make_tmpfs(target: &Path, options: &str, flags: Flags) -> Result<(), StepError> {
    let options = CString::new(options).doing("name the options of tmpfs")?;
    mount("tmpfs", target, "tmpfs", flags, options.as_c_str()).doing_to("mount a tmpfs on", target)
}

fn make_folder(name: impl AsRef<Path>) -> Result<(), StepError> {
    let name = name.as_ref();
    fs::DirBuilder::new().recursive(true).mode(0o755).create(name).doing_to("make", name)?;
    fs::set_permissions(name, fs::Permissions::from_mode(0o755)).doing_to("open up", name)
}

/// Makes the new root the only one.
fn enter() -> Result<(), StepError> {
    pivot_root(".", ".").doing("make the new root the root")?;
    // The old root lies on top of the new one now; taking it off leaves no path to the host.
    unmount(".", UnmountFlags::DETACH).doing("take the old root away")?;
    std::env::set_current_dir("/").doing("enter the new root")?;
    set_mount_flags(CWD.as_fd(), Path::new("/"), false, MountFlags { read_only: true, ..MountFlags::default() })
        .doing("make the root read-only")
}
