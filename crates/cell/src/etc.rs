//! `/etc` of a sandbox, from a named list: nothing gets in because it happened to be there.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{
    error::{Doing, StepError},
    identity::AGENT,
    redirect::RESOLVER,
    spec::LaunchOrder,
};

/// Copied when the host has them and everybody may read them: none holds anything of this host but its taste.
const COPIED: [&str; 18] = [
    "bash.bashrc",
    "debian_version",
    "ethertypes",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "login.defs",
    "magic",
    "magic.mime",
    "mime.types",
    "networks",
    "profile",
    "protocols",
    "rpc",
    "services",
    "timezone",
];
/// Copied below `ssl`.
const COPIED_SSL: [&str; 1] = ["openssl.cnf"];
/// Folders that programs under `/usr` are configured by; shown read-only as they are.
const FOLDERS: [&str; 8] = ["alternatives", "ld.so.conf.d", "perl", "python3", "terminfo", "fonts", "emacs", "openmpi"];
/// The same, for names with a version in them.
const VERSIONED: [&str; 3] = ["python3.", "java-", "ruby"];
const OS_RELEASE: &str = "../usr/lib/os-release";

/// Writes it below this folder.
pub fn write(order: &LaunchOrder) -> Result<(), StepError> {
    for (name, text) in generated(&order.hostname) {
        put(name, text.as_bytes())?;
    }
    for name in COPIED {
        copy(name)?;
    }
    fs::create_dir_all("etc/ssl").doing("make etc/ssl")?;
    for name in COPIED_SSL {
        copy(&format!("ssl/{name}"))?;
    }
    symlink(OS_RELEASE, "etc/os-release").doing("link etc/os-release")?;
    symlink("/proc/self/mounts", "etc/mtab").doing("link etc/mtab")
}

/// The folders to be shown: where each is on the host, and where it goes.
pub fn folders() -> Vec<(PathBuf, String)> {
    let mut names: Vec<String> = FOLDERS.iter().map(ToString::to_string).collect();
    if let Ok(entries) = fs::read_dir("/etc") {
        let versioned = entries
            .flatten()
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|n| VERSIONED.iter().any(|start| n.starts_with(start)));
        names.extend(versioned);
    }
    names
        .into_iter()
        .map(|name| (Path::new("/etc").join(&name), format!("etc/{name}")))
        .filter(|(source, _)| fs::symlink_metadata(source).is_ok_and(|m| m.is_dir()))
        .collect()
}

fn generated(hostname: &str) -> [(&'static str, String); 8] {
    [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/:/usr/sbin/nologin\nagent:x:{AGENT}:{AGENT}:agent:/home/agent:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
            ),
        ),
        ("group", format!("root:x:0:\ntty:x:5:\nagent:x:{AGENT}:\nnogroup:x:65534:\n")),
        ("hostname", format!("{hostname}\n")),
        ("hosts", format!("127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost ip6-loopback\n")),
        ("resolv.conf", format!("nameserver {RESOLVER}\noptions timeout:5 attempts:2\n")),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n".to_owned(),
        ),
        ("shells", "/bin/sh\n/bin/bash\n".to_owned()),
        ("gitconfig", String::new()),
    ]
}

fn put(name: &str, bytes: &[u8]) -> Result<(), StepError> {
    let path = Path::new("etc").join(name);
    fs::write(&path, bytes).doing_to("write", &path)
}

/// A file that is not there, or not everybody's to read, is left out.
fn copy(name: &str) -> Result<(), StepError> {
    use std::os::unix::fs::PermissionsExt;
    let source = Path::new("/etc").join(name);
    let readable = fs::metadata(&source).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o004 != 0);
    match fs::read(&source) {
        Ok(bytes) if readable => put(name, &bytes),
        _ => Ok(()),
    }
}
