//! Whole trees of a sandbox's files on the host's side: copying and removing without ever following a link.

use std::{
    ffi::CStr,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use openmiosa_sys::FileIdentity;
use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, chownat, fchmod, fchown, futimens,
        mkdirat, openat, readlinkat, renameat, seek, statat, symlinkat, unlinkat,
    },
    io::Errno,
};

/// Deeper trees are somebody's joke on a recursive program. Each level holds three descriptors.
const DEPTH: usize = 256;
/// How far down a removal walks before it brings what is deeper up to the top.
const REACH: usize = 64;
/// Set-user-id and friends do not travel.
const PERMISSIONS: u32 = 0o777;

/// Copies the contents of `from` into the new folder `to`, which will belong to `owner`; how many bytes that were.
pub fn copy(from: &Path, to: &Path, owner: Option<FileIdentity>) -> io::Result<u64> {
    let source = open_folder(CWD, from)?;
    std::fs::create_dir(to)?;
    let target = open_folder(CWD, to)?;
    let bytes = copy_folder(&source, &target, owner, 0)?;
    own(&target, owner)?;
    Ok(bytes)
}

fn copy_folder(source: &OwnedFd, target: &OwnedFd, owner: Option<FileIdentity>, depth: usize) -> io::Result<u64> {
    if depth > DEPTH {
        return Err(io::Error::other("the folders are nested too deeply to be copied"));
    }
    let mut bytes = 0;
    for entry in Dir::read_from(source)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match copy_entry(source.as_fd(), target, name, owner, depth) {
            Ok(copied) => bytes += copied,
            // It went away while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

fn copy_entry(source: BorrowedFd<'_>, target: &OwnedFd, name: &CStr, owner: Option<FileIdentity>, depth: usize) -> io::Result<u64> {
    let found = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => {
            let inner = open_folder(source, name)?;
            mkdirat(target, name, Mode::RWXU)?;
            let made = open_folder(target, name)?;
            let bytes = copy_folder(&inner, &made, owner, depth + 1)?;
            finish(&made, &found, owner)?;
            Ok(bytes)
        }
        FileType::RegularFile => copy_file(source, target, name, &found, owner),
        FileType::Symlink => {
            let link = readlinkat(source, name, Vec::new())?;
            symlinkat(&link, target, name)?;
            if let Some(owner) = owner {
                chownat(target, name, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Ok(0)
        }
        // Sockets and pipes are nothing without the processes that held them.
        _ => Ok(0),
    }
}

fn copy_file(source: BorrowedFd<'_>, target: &OwnedFd, name: &CStr, found: &Stat, owner: Option<FileIdentity>) -> io::Result<u64> {
    let from =
        openat(source, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    // What it was a moment ago need not be what was opened.
    if FileType::from_raw_mode(rustix::fs::fstat(&from)?.st_mode) != FileType::RegularFile {
        return Ok(0);
    }
    let to =
        openat(target, name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    let mut to = File::from(to);
    let bytes = copy_written(&File::from(from), &mut to)?;
    finish(to.as_fd(), found, owner)?;
    Ok(bytes)
}

/// Copies what was written of a file and leaves its holes, which would fill the disk; how long the file is.
fn copy_written(from: &File, to: &mut File) -> io::Result<u64> {
    let length = from.metadata()?.len();
    let mut end = 0;
    while end < length {
        let start = match seek(from, SeekFrom::Data(end)) {
            Err(Errno::NXIO) => break,
            other => other?,
        };
        end = seek(from, SeekFrom::Hole(start))?;
        seek(from, SeekFrom::Start(start))?;
        seek(&*to, SeekFrom::Start(start))?;
        io::copy(&mut from.take(end - start), to)?;
    }
    to.set_len(length)?;
    Ok(length)
}

/// Owner, permissions and times, in the order in which none undoes another.
fn finish(made: impl AsFd, like: &Stat, owner: Option<FileIdentity>) -> io::Result<()> {
    own(&made, owner)?;
    fchmod(&made, Mode::from_raw_mode(like.st_mode & PERMISSIONS))?;
    let modified = Timespec { tv_sec: like.st_mtime, tv_nsec: i64::try_from(like.st_mtime_nsec).unwrap_or_default() };
    Ok(futimens(&made, &Timestamps { last_access: modified, last_modification: modified })?)
}

fn own(made: impl AsFd, owner: Option<FileIdentity>) -> io::Result<()> {
    match owner {
        Some(owner) => Ok(fchown(made, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?),
        None => Ok(()),
    }
}

/// Removes a tree, whatever its permissions are. Nothing there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    match open_folder(CWD, path) {
        Ok(folder) => {
            empty(&folder)?;
            Ok(std::fs::remove_dir(path)?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what is in a folder, however deep it goes: a sandbox must not make itself too deep to be destroyed.
pub fn empty(folder: &OwnedFd) -> io::Result<()> {
    // What was brought up in one round is removed in the next.
    while !empty_within_reach(folder, folder, 0)? {}
    Ok(())
}

/// Whether all was within reach, so that nothing had to be brought up to `top`.
fn empty_within_reach(top: &OwnedFd, folder: &OwnedFd, depth: usize) -> io::Result<bool> {
    let mut all = true;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if entry.file_type() == FileType::Directory || is_folder(folder, name)? {
            let inner = open_folder_anyhow(folder, name)?;
            if depth == REACH {
                renameat(folder, name, top, format!(".{}.deep", ulid::Ulid::new()))?;
                all = false;
            } else {
                all &= empty_within_reach(top, &inner, depth + 1)?;
                unlinkat(folder, name, AtFlags::REMOVEDIR)?;
            }
        } else {
            unlinkat(folder, name, AtFlags::empty())?;
        }
    }
    Ok(all)
}

fn is_folder(folder: &OwnedFd, name: &CStr) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory)
}

/// Opens a folder to change what is in it, although its owner may have closed it to itself.
fn open_folder_anyhow(folder: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    let opened = match open_folder(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let found = openat(folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            // By way of the descriptor: a name could have become a link in the meantime.
            rustix::fs::chmod(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found)), Mode::RWXU)?;
            open_folder(folder, name)
        }
        other => other,
    }?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        fchmod(&opened, Mode::RWXU)?;
    }
    Ok(opened)
}

fn open_folder(at: impl AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    match openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::LOOP) => Err(io::Error::from(io::ErrorKind::NotADirectory)),
        other => Ok(other?),
    }
}
