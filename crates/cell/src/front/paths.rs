//! From a path that somebody sent to a descriptor inside a sandbox's root, and nowhere else.
//!
//! The kernel does the confining (`openat2` with `RESOLVE_IN_ROOT`), not string handling; the strings are only checked
//! for what cannot be meant.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat2},
    io::Errno,
};

use super::problem::{Outcome, Problem};

/// As long as the kernel takes.
const LONGEST: usize = 4095;
/// Folders that are not files of the sandbox.
const FORBIDDEN: [&str; 3] = ["proc", "sys", "dev"];
/// How often the kernel may say that somebody is renaming things meanwhile.
const ATTEMPTS: u32 = 64;

/// A path inside a sandbox, from its root, that is worth asking the kernel about.
#[derive(Clone, Debug)]
pub struct InnerPath {
    /// Without the leading slash; `.` for the root.
    relative: PathBuf,
}

impl InnerPath {
    /// Checks it. Relative paths are below `/workspace`.
    pub fn parse(path: &str) -> Outcome<Self> {
        if path.is_empty() || path.contains('\0') || path.len() > LONGEST {
            return Err(Problem::invalid_path("a path has 1 to 4,095 bytes and none of them is zero"));
        }
        let absolute = Path::new("/workspace").join(path);
        let mut relative = PathBuf::new();
        for component in absolute.components() {
            match component {
                Component::Normal(name) => relative.push(name),
                Component::ParentDir => return Err(Problem::invalid_path("a path may not contain ..; say where it leads instead")),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        if relative.components().next().is_some_and(|c| FORBIDDEN.iter().any(|f| c.as_os_str() == *f)) {
            return Err(Problem::invalid_path("/proc, /sys and /dev are not files of the sandbox"));
        }
        Ok(Self { relative })
    }

    /// As it is seen inside.
    pub fn shown(&self) -> String {
        Path::new("/").join(&self.relative).display().to_string()
    }

    /// Its last part; empty for the root.
    pub fn name(&self) -> String {
        self.relative.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The folder it is in, and its name there.
    pub fn split(&self) -> Outcome<(Self, String)> {
        match (self.relative.parent(), self.relative.file_name()) {
            (Some(parent), Some(name)) => Ok((Self { relative: parent.to_owned() }, name.to_string_lossy().into_owned())),
            _ => Err(Problem::invalid_path("the root itself cannot be changed")),
        }
    }

    fn or_dot(&self) -> &Path {
        if self.relative.as_os_str().is_empty() { Path::new(".") } else { &self.relative }
    }
}

/// Opens it below `root`, wherever the links on the way lead, as long as that is below `root`.
pub fn open(root: &OwnedFd, path: &InnerPath, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK | OFlags::NOCTTY };
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        match openat2(root, path.or_dot(), flags, Mode::empty(), how) {
            // A rename happened while the kernel walked, and it could not prove that the walk stayed inside.
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => {
                let opened = other?;
                refuse_kernel_files(root, &opened)?;
                return Ok(opened);
            }
        }
    }
    Err(Errno::AGAIN.into())
}

/// A link may lead into `/proc` or `/dev` all the same.
fn refuse_kernel_files(root: &OwnedFd, opened: &OwnedFd) -> io::Result<()> {
    let device = fstat(opened)?.st_dev;
    for name in FORBIDDEN {
        let folder =
            openat2(root, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?;
        // `sys` is an empty folder of the root itself, and not worth telling apart.
        let theirs = fstat(&folder)?.st_dev;
        if theirs == device && theirs != fstat(root)?.st_dev {
            return Err(Errno::ACCESS.into());
        }
    }
    Ok(())
}

/// Opens the folder that a file is in; with `parents` makes what is missing.
pub fn open_folder(root: &OwnedFd, path: &InnerPath, parents: bool) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match open(root, path, flags) {
        Err(error) if parents && error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut so_far = InnerPath { relative: PathBuf::new() };
    let mut folder = open(root, &so_far, flags)?;
    for component in path.relative.components() {
        so_far.relative.push(component);
        folder = match open(root, &so_far, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match mkdirat(&folder, component.as_os_str(), Mode::from_raw_mode(0o755)) {
                    Err(Errno::EXIST) | Ok(()) => open(root, &so_far, flags)?,
                    Err(error) => return Err(error.into()),
                }
            }
            other => other?,
        };
    }
    Ok(folder)
}

/// What was opened, which must be a regular file.
pub fn regular(path: &str, opened: impl AsFd) -> Outcome<Stat> {
    let found = fstat(opened).map_err(|e| Problem::from_path(path, &e.into()))?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok(found),
        FileType::Directory => Err(Problem::is_directory(path)),
        _ => Err(Problem::not_a_file(path)),
    }
}
