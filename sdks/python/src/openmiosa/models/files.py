"""Records of files."""

from dataclasses import dataclass
from datetime import datetime

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo(Record):
    """A file or folder."""

    path: str
    name: str | None = None
    type: str | None = None
    target: str | None = None
    size: int = 0
    is_dir: bool = False
    is_symlink: bool = False
    mode: str | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange(Record):
    """Something that happened to a file or folder that is watched."""

    event: str
    path: str
    old_path: str | None = None
    is_dir: bool = False
    size_bytes: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTree(Record):
    """A folder with what is in it, or a file."""

    path: str
    name: str | None = None
    type: str = "file"
    size: int | None = None
    modified_at: datetime | None = None
    children: tuple["FileTree", ...] = ()

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.type == "dir"
