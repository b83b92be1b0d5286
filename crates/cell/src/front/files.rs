//! Files of a sandbox: read, written, listed and removed as its own user, and inside its own root.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use openmiosa_sys::assume_file_identity;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, mkdirat, openat, readlinkat, renameat, statat, unlinkat};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    paths::{self, InnerPath},
    problem::{Outcome, Problem},
    process::time,
    sandbox::Sandbox,
    tree,
};

/// How much of a file travels at once.
const PIECE: usize = 256 << 10;
/// How many pieces may wait for a slow reader.
pub const PIECES: usize = 4;
/// More entries are not listed, nor more bytes of paths.
const ENTRIES: usize = 10_000;
const PATHS: usize = 8 << 20;
const DEPTH: usize = 64;
const PERMISSIONS: u32 = 0o777;

/// Does `work` where it may block, as the sandbox's own user.
pub async fn inside<T: Send + 'static>(sandbox: &Sandbox, work: impl FnOnce(&OwnedFd) -> Outcome<T> + Send + 'static) -> Outcome<T> {
    let root = Arc::clone(&sandbox.root);
    let identity = sandbox.identity;
    let turn = turn(&sandbox.file_turns).await?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let _assumed = identity.map(assume_file_identity).transpose()?;
        work(&root)
    });
    done.await.map_err(|e| Problem::internal(e.to_string()))?
}

async fn turn(turns: &Arc<Semaphore>) -> Outcome<OwnedSemaphorePermit> {
    Arc::clone(turns).acquire_owned().await.map_err(|error| Problem::internal(error.to_string()))
}

/// A file that is open for reading, and how long it was then.
pub async fn open(sandbox: &Sandbox, path: InnerPath) -> Outcome<(File, u64)> {
    inside(sandbox, move |root| {
        let shown = path.shown();
        // Looked at before it is opened: opening a pipe or a device can do something.
        let found = paths::open(root, &path, OFlags::PATH).map_err(|e| Problem::from_path(&shown, &e))?;
        paths::regular(&shown, &found)?;
        let opened = paths::open(root, &path, OFlags::RDONLY).map_err(|e| Problem::from_path(&shown, &e))?;
        let found = paths::regular(&shown, &opened)?;
        Ok((File::from(opened), u64::try_from(found.st_size).unwrap_or_default()))
    })
    .await
}

/// Sends `length` bytes of a file piece by piece. A file that grows meanwhile is not followed.
pub async fn stream(sandbox: &Sandbox, file: File, length: u64) -> Outcome<mpsc::Receiver<io::Result<Bytes>>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    let turn = turn(&sandbox.file_turns).await?;
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let mut file = file.take(length);
        let mut sent = 0;
        loop {
            let mut piece = vec![0; PIECE];
            match file.read(&mut piece) {
                Ok(0) if sent < length => {
                    let _ = sender.blocking_send(Err(io::ErrorKind::UnexpectedEof.into()));
                    return;
                }
                Ok(0) => return,
                Ok(read) => {
                    piece.truncate(read);
                    sent += read as u64;
                    if sender.blocking_send(Ok(piece.into())).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let _ = sender.blocking_send(Err(error));
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

/// How a file is written.
pub struct Writing {
    /// Where.
    pub path: InnerPath,
    /// Its permissions.
    pub mode: u32,
    /// Whether missing folders are made.
    pub parents: bool,
    /// The largest that it may be.
    pub limit: u64,
}

/// Writes what arrives beside the file and puts it in place at the end, whole or not at all.
pub async fn write(sandbox: &Sandbox, how: Writing, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Outcome<u64> {
    inside(sandbox, move |root| {
        let shown = how.path.shown();
        let (parent, name) = how.path.split()?;
        let from_kernel = |error: io::Error| Problem::from_path(&shown, &error);
        let folder = paths::open_folder(root, &parent, how.parents).map_err(from_kernel)?;
        if let Ok(found) = statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => return Err(Problem::is_directory(&shown)),
                FileType::RegularFile | FileType::Symlink => {}
                _ => return Err(Problem::not_a_file(&shown)),
            }
        }
        let beside = format!(".{}.part", ulid::Ulid::new().to_string().to_lowercase());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&folder, beside.as_str(), flags, Mode::RUSR | Mode::WUSR).map_err(|e| from_kernel(e.into()))?;
        let written = fill(File::from(file), how.mode, how.limit, pieces, &shown);
        let placed = written
            .and_then(|size| renameat(&folder, beside.as_str(), &folder, name.as_str()).map(|()| size).map_err(|e| from_kernel(e.into())));
        if placed.is_err() {
            let _ = unlinkat(&folder, beside.as_str(), AtFlags::empty());
        }
        placed
    })
    .await
}

fn fill(mut file: File, mode: u32, limit: u64, mut pieces: mpsc::Receiver<io::Result<Bytes>>, shown: &str) -> Outcome<u64> {
    let mut size = 0;
    while let Some(piece) = pieces.blocking_recv() {
        let piece = piece.map_err(|e| Problem::invalid(format!("the body ended early: {e}")))?;
        size += piece.len() as u64;
        if size > limit {
            return Err(Problem::too_large(format!("{shown} would be above the sandbox's limit of {limit} bytes a file")));
        }
        file.write_all(&piece).map_err(|e| Problem::from_path(shown, &e))?;
    }
    fchmod(&file, Mode::from_raw_mode(mode & PERMISSIONS)).map_err(|e| Problem::from_path(shown, &e.into()))?;
    Ok(size)
}

/// What a path names. A link is described itself.
pub async fn stat(sandbox: &Sandbox, path: InnerPath) -> Outcome<Value> {
    inside(sandbox, move |root| {
        let shown = path.shown();
        if shown == "/" {
            let found = rustix::fs::fstat(root).map_err(io::Error::from)?;
            return Ok(describe(&shown, "", &found));
        }
        let (parent, name) = path.split()?;
        let folder = paths::open_folder(root, &parent, false).map_err(|e| Problem::from_path(&shown, &e))?;
        let found = statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).map_err(|e| Problem::from_path(&shown, &e.into()))?;
        Ok(describe_at(&folder, name.as_str(), &shown, &path.name(), &found))
    })
    .await
}

/// What is in a folder, `depth` levels down.
pub async fn list(sandbox: &Sandbox, path: InnerPath, depth: usize) -> Outcome<Value> {
    inside(sandbox, move |root| {
        let shown = path.shown();
        let folder = paths::open(root, &path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| Problem::from_path(&shown, &e))?;
        let mut listing = Listing::default();
        listing.collect(&folder, shown.trim_end_matches('/'), depth.clamp(1, DEPTH)).map_err(|e| Problem::from_path(&shown, &e))?;
        let Listing { mut entries, truncated, .. } = listing;
        entries.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        Ok(json!({"path": shown, "entries": entries, "truncated": truncated}))
    })
    .await
}

#[derive(Default)]
struct Listing {
    entries: Vec<Value>,
    paths: usize,
    truncated: bool,
}

impl Listing {
    fn collect(&mut self, folder: &OwnedFd, shown: &str, depth: usize) -> io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.truncated || self.entries.len() == ENTRIES || self.paths > PATHS {
                self.truncated = true;
                return Ok(());
            }
            let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let text = name.to_string_lossy();
            let path = format!("{shown}/{text}");
            self.paths += path.len();
            self.entries.push(describe_at(folder, name, &path, &text, &found));
            let kernel = FORBIDDEN_BELOW_ROOT.contains(&path.as_str());
            if depth > 1 && !kernel && FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                // A folder that may not be read is listed without what is in it.
                if let Ok(inner) = openat(folder, name, flags, Mode::empty()) {
                    self.collect(&inner, &path, depth - 1)?;
                }
            }
        }
        Ok(())
    }
}

/// Not walked into, as they are not files of the sandbox.
const FORBIDDEN_BELOW_ROOT: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Makes a folder.
pub async fn make_folder(sandbox: &Sandbox, path: InnerPath, parents: bool) -> Outcome<()> {
    inside(sandbox, move |root| {
        let shown = path.shown();
        if parents {
            return paths::open_folder(root, &path, true).map(drop).map_err(|e| Problem::from_path(&shown, &e));
        }
        let (parent, name) = path.split()?;
        let folder = paths::open_folder(root, &parent, false).map_err(|e| Problem::from_path(&shown, &e))?;
        mkdirat(&folder, name.as_str(), Mode::from_raw_mode(0o755)).map_err(|e| Problem::from_path(&shown, &e.into()))
    })
    .await
}

/// Removes a file, an empty folder, or with `recursive` a whole tree.
pub async fn delete(sandbox: &Sandbox, path: InnerPath, recursive: bool) -> Outcome<()> {
    inside(sandbox, move |root| {
        let shown = path.shown();
        let (parent, name) = path.split()?;
        let from_kernel = |error: io::Error| Problem::from_path(&shown, &error);
        let folder = paths::open_folder(root, &parent, false).map_err(from_kernel)?;
        let found = statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).map_err(|e| from_kernel(e.into()))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            return unlinkat(&folder, name.as_str(), AtFlags::empty()).map_err(|e| from_kernel(e.into()));
        }
        if recursive {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let inner = openat(folder.as_fd(), name.as_str(), flags, Mode::empty()).map_err(|e| from_kernel(e.into()))?;
            tree::empty(&inner).map_err(from_kernel)?;
        }
        unlinkat(&folder, name.as_str(), AtFlags::REMOVEDIR).map_err(|e| from_kernel(e.into()))
    })
    .await
}

/// With where it leads, when it is a link.
fn describe_at(folder: &OwnedFd, at: impl rustix::path::Arg, path: &str, name: &str, found: &Stat) -> Value {
    let mut said = describe(path, name, found);
    if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
        said["target"] = readlinkat(folder, at, Vec::new()).map(|target| target.to_string_lossy().into_owned()).unwrap_or_default().into();
    }
    said
}

fn describe(path: &str, name: &str, found: &Stat) -> Value {
    let kind = FileType::from_raw_mode(found.st_mode);
    let word = match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "dir",
        FileType::Symlink => "symlink",
        _ => "other",
    };
    let modified = Timestamp::new(found.st_mtime, i32::try_from(found.st_mtime_nsec).unwrap_or_default()).unwrap_or_default();
    json!({
        "path": path, "name": name, "type": word, "size": found.st_size, "is_dir": kind == FileType::Directory, "is_symlink": kind == FileType::Symlink,
        "mode": format!("{:04o}", found.st_mode & 0o7777), "modified_at": time(modified),
    })
}
