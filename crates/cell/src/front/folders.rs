//! The folders that one watcher watches: which of the kernel's numbers means which path, and what an entry of its queue says.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, Dir, FileType, OFlags,
        inotify::{self, ReadFlags, WatchFlags},
        statat,
    },
    io::Errno,
};
use serde_json::{Value, json};

use super::paths::{self, InnerPath};

/// More folders are not watched by one watcher; the kernel pays about a kibibyte for each.
const MOST: usize = 4096;

/// An entry of the kernel's queue.
pub struct Seen {
    /// The number of the watch.
    pub watch: i32,
    /// What happened.
    pub what: ReadFlags,
    /// What the halves of a rename share.
    pub cookie: u32,
    /// The name in the watched folder.
    pub name: Option<String>,
}

/// Folders to be entered, where that may block.
pub struct Entering {
    kernel: Arc<OwnedFd>,
    paths: Vec<String>,
    room: usize,
    report: bool,
}

/// What came of it.
#[derive(Default)]
pub struct Entered {
    watches: Vec<(i32, String)>,
    found: Vec<(String, bool)>,
    full: bool,
}

/// What comes after the lines of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Watch,
    LookAgain,
    End,
}

struct Left {
    cookie: u32,
    path: String,
    is_dir: bool,
}

/// All folders of a watcher.
pub struct Folders {
    kernel: Arc<OwnedFd>,
    top: String,
    only: Option<String>,
    recursive: bool,
    paths: HashMap<i32, String>,
    left: Option<Left>,
    new: Vec<String>,
    next: Next,
    /// What was reported when its folder was entered, so that the kernel's own word about it is not said twice.
    reported: HashSet<String>,
    full: bool,
}

impl Folders {
    /// None yet.
    pub fn new(kernel: Arc<OwnedFd>, top: String, only: Option<String>, recursive: bool) -> Self {
        let (paths, new, reported) = (HashMap::new(), Vec::new(), HashSet::new());
        Self { kernel, top, only, recursive, paths, left: None, new, next: Next::Watch, reported, full: false }
    }

    /// Watches the uppermost folder and, when asked for, all below it; blocks.
    pub fn begin(&mut self, root: &OwnedFd) -> io::Result<Vec<Value>> {
        let top = paths::open(root, &inner(&self.top)?, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let ends = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let number = add(&self.kernel, &top, interesting() | ends)?;
        self.paths.insert(number, self.top.clone());
        if !self.recursive {
            return Ok(Vec::new());
        }
        let mut below = Entered::default();
        self.entering(Vec::new(), false).walk(root, &top, &self.top, &mut below);
        Ok(self.entered(below))
    }

    /// Whether what was watched is gone.
    pub fn ended(&self) -> bool {
        self.next == Next::End
    }

    /// Whether half of a rename waits for the other.
    pub fn waits(&self) -> bool {
        self.left.is_some()
    }

    /// The lines that these entries make.
    pub fn take(&mut self, seen: Vec<Seen>) -> Vec<Value> {
        let mut lines = Vec::new();
        for entry in seen {
            self.one(&entry, &mut lines);
        }
        lines.dedup();
        lines
    }

    /// The other half of a rename did not come: what left is gone from here.
    pub fn settle(&mut self) -> Vec<Value> {
        self.reported.clear();
        self.left.take().and_then(|left| self.gone(&left)).into_iter().collect()
    }

    /// The work of entering new folders, if there is any.
    pub fn take_new(&mut self) -> Option<Entering> {
        if self.next == Next::LookAgain {
            self.next = Next::Watch;
            self.new.clear();
            return Some(self.entering(vec![self.top.clone()], false));
        }
        if self.new.is_empty() {
            return None;
        }
        let new = std::mem::take(&mut self.new);
        Some(self.entering(new, true))
    }

    /// Takes over what entering came to.
    pub fn entered(&mut self, entered: Entered) -> Vec<Value> {
        self.paths.extend(entered.watches);
        let mut lines = Vec::new();
        for (path, is_dir) in entered.found {
            if self.reported.insert(path.clone()) {
                lines.push(line("created", &path, is_dir));
            }
        }
        if entered.full && !self.full {
            self.full = true;
            let mut said = line("limit", &self.top, true);
            said["message"] = format!("{} folders are watched; changes in further ones are not reported", self.paths.len()).into();
            lines.push(said);
        }
        lines
    }

    fn entering(&self, paths: Vec<String>, report: bool) -> Entering {
        Entering { kernel: Arc::clone(&self.kernel), paths, room: MOST.saturating_sub(self.paths.len()), report }
    }

    fn one(&mut self, entry: &Seen, lines: &mut Vec<Value>) {
        if entry.is(ReadFlags::QUEUE_OVERFLOW) {
            let mut said = line("overflow", &self.top, true);
            said["message"] = "changes came faster than they were read and some are lost; list the folder again".into();
            lines.push(said);
            if self.recursive {
                self.next = Next::LookAgain;
            }
            return;
        }
        if entry.is(ReadFlags::IGNORED) {
            self.paths.remove(&entry.watch);
            return;
        }
        // What left without coming back is gone before anything else is told: its folders are no longer here.
        let other_half = self.left.take_if(|left| entry.is(ReadFlags::MOVED_TO) && entry.cookie == left.cookie);
        lines.extend(self.left.take().and_then(|left| self.gone(&left)));
        let Some(folder) = self.paths.get(&entry.watch).cloned() else { return };
        let Some(name) = &entry.name else {
            if entry.is(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF) {
                self.next = Next::End;
                lines.push(line("deleted", &self.top, true));
            }
            return;
        };
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        match other_half {
            Some(left) => lines.extend(self.renamed(&left, &path, name)),
            None => self.named(entry, path, name, lines),
        }
    }

    fn named(&mut self, entry: &Seen, path: String, name: &str, lines: &mut Vec<Value>) {
        let is_dir = entry.is(ReadFlags::ISDIR);
        if entry.is(ReadFlags::MOVED_FROM) {
            self.left = Some(Left { cookie: entry.cookie, path, is_dir });
            return;
        }
        if self.other(name) || is_part(name) {
            return;
        }
        let event = if entry.is(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            if is_dir {
                self.enter(path.clone());
            }
            if self.reported.remove(&path) {
                return;
            }
            "created"
        } else if entry.is(ReadFlags::DELETE) {
            "deleted"
        } else if entry.is(ReadFlags::MODIFY) {
            "modified"
        } else {
            return;
        };
        lines.push(line(event, &path, is_dir));
    }

    fn renamed(&mut self, left: &Left, path: &str, name: &str) -> Option<Value> {
        if left.is_dir {
            self.move_below(&left.path, path);
        }
        let old_name = left.path.rsplit('/').next().unwrap_or_default();
        if self.other(name) {
            return (!self.other(old_name)).then(|| line("deleted", &left.path, left.is_dir));
        }
        // A file that is uploaded is written beside its place first.
        if is_part(old_name) || self.other(old_name) {
            return Some(line("created", path, left.is_dir));
        }
        let mut said = line("renamed", path, left.is_dir);
        said["old_path"] = left.path.clone().into();
        Some(said)
    }

    fn gone(&mut self, left: &Left) -> Option<Value> {
        let name = left.path.rsplit('/').next().unwrap_or_default();
        if self.other(name) || is_part(name) {
            return None;
        }
        if left.is_dir {
            let below = format!("{}/", left.path);
            self.paths.retain(|number, path| {
                let inside = *path == left.path || path.starts_with(&below);
                if inside {
                    let _ = inotify::remove_watch(&self.kernel, *number);
                }
                !inside
            });
        }
        Some(line("deleted", &left.path, left.is_dir))
    }

    fn enter(&mut self, path: String) {
        if self.recursive {
            self.new.push(path);
        }
    }

    fn move_below(&mut self, old: &str, new: &str) {
        let below = format!("{old}/");
        for path in self.paths.values_mut().chain(&mut self.new) {
            if path == old {
                new.clone_into(path);
            } else if let Some(rest) = path.strip_prefix(&below) {
                *path = format!("{new}/{rest}");
            }
        }
    }

    /// Whether one file is watched and this is another.
    fn other(&self, name: &str) -> bool {
        self.only.as_deref().is_some_and(|only| only != name)
    }
}

impl Entering {
    /// Watches the folders, and what is in them by now; blocks. A folder that is gone again is no error.
    pub fn enter(mut self, root: &OwnedFd) -> Entered {
        let mut entered = Entered::default();
        for path in std::mem::take(&mut self.paths) {
            self.folder(root, &path, &mut entered);
        }
        entered
    }

    fn folder(&mut self, root: &OwnedFd, path: &str, entered: &mut Entered) {
        if self.room == 0 {
            entered.full = true;
            return;
        }
        let Ok(inner) = inner(path) else { return };
        let Ok(folder) = paths::open(root, &inner, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW) else { return };
        match add(&self.kernel, &folder, interesting()) {
            Ok(number) => entered.watches.push((number, path.to_owned())),
            Err(error) => {
                entered.full = entered.full || error.raw_os_error() == Some(libc::ENOSPC);
                return;
            }
        }
        self.room -= 1;
        self.walk(root, &folder, path, entered);
    }

    fn walk(&mut self, root: &OwnedFd, folder: &OwnedFd, shown: &str, entered: &mut Entered) {
        let Ok(entries) = Dir::read_from(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_dir = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
            let path = format!("{}/{}", shown.trim_end_matches('/'), name.to_string_lossy());
            if self.report && !is_part(&name.to_string_lossy()) {
                entered.found.push((path.clone(), is_dir));
            }
            if is_dir && !entered.full {
                self.folder(root, &path, entered);
            }
        }
    }
}

fn interesting() -> WatchFlags {
    let changes = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
    changes | WatchFlags::EXCL_UNLINK | WatchFlags::ONLYDIR
}

/// By way of the descriptor, which was opened inside the sandbox's root: a path could lead out of it by now.
fn add(kernel: &OwnedFd, folder: &OwnedFd, what: WatchFlags) -> io::Result<i32> {
    match inotify::add_watch(kernel, format!("/proc/self/fd/{}", folder.as_raw_fd()), what) {
        Err(Errno::NOSPC) => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        other => Ok(other?),
    }
}

fn inner(path: &str) -> io::Result<InnerPath> {
    InnerPath::parse(path).map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem.to_string()))
}

/// What `files::write` calls a file that is not whole yet: a dot, an identifier of 26 characters, `.part`.
fn is_part(name: &str) -> bool {
    name.strip_prefix('.').and_then(|name| name.strip_suffix(".part")).is_some_and(|id| id.len() == 26)
}

fn line(event: &str, path: &str, is_dir: bool) -> Value {
    json!({"event": event, "path": path, "is_dir": is_dir})
}
