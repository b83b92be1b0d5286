//! What of `/proc` is not shown: the host's affairs, and switches of the whole kernel.

use std::path::Path;

use openmiosa_sys::{MountFlags, set_mount_flags};
use rustix::{
    fs::CWD,
    mount::{MountFlags as Flags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree},
};

use crate::error::{Doing, StepError};

/// Files that answer nothing: they tell of the host, or let it be changed.
const EMPTY_FILES: [&str; 21] = [
    "bootconfig",
    "buddyinfo",
    "cmdline",
    "config.gz",
    "interrupts",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "modules",
    "sched_debug",
    "slabinfo",
    "timer_list",
    "vmallocinfo",
];
/// Folders that are empty.
const EMPTY_FOLDERS: [&str; 5] = ["acpi", "asound", "driver", "scsi", "tty"];
/// Trees that can be read.
const READ_ONLY: [&str; 4] = ["bus", "fs", "irq", "sys"];
/// Writing there reboots.
const TRIGGERS: [&str; 1] = ["sysrq-trigger"];

/// Hides what is there of them, below the `proc` of this folder.
pub fn mask() -> Result<(), StepError> {
    for name in EMPTY_FILES.iter().chain(&TRIGGERS) {
        let path = Path::new("proc").join(name);
        if path.exists() {
            cover(Path::new("dev/null"), &path, MountFlags { read_only: true, no_suid: true, no_exec: true, no_dev: false })?;
        }
    }
    for name in EMPTY_FOLDERS {
        let path = Path::new("proc").join(name);
        if path.is_dir() {
            mount("tmpfs", &path, "tmpfs", Flags::RDONLY | Flags::NOSUID | Flags::NODEV | Flags::NOEXEC, c"size=0,mode=555")
                .doing_to("hide", &path)?;
        }
    }
    for name in READ_ONLY {
        let path = Path::new("proc").join(name);
        if path.is_dir() {
            cover(&path, &path, MountFlags { read_only: true, no_suid: true, no_dev: true, no_exec: true })?;
        }
    }
    Ok(())
}

fn cover(source: &Path, target: &Path, flags: MountFlags) -> Result<(), StepError> {
    let how = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, how).doing_to("hide", target)?;
    set_mount_flags(&tree, Path::new(""), false, flags).doing_to("protect", target)?;
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).doing_to("hide", target)
}
