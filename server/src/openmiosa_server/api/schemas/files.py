"""Files and folders of a sandbox."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from .common import Moment, Shape, StreamError, Text


class Written(Shape):
    """A file that was replaced."""

    path: str
    size_bytes: int
    size: int


class WrittenOne(Shape):
    """One of several files that were replaced."""

    path: str
    size_bytes: int


class NotWritten(Shape):
    """A file that could not be replaced."""

    path: str
    error: str
    code: str


class WrittenMany(Shape):
    """What could be written and what could not."""

    written: list[WrittenOne]
    failed: list[NotWritten]


class Entry(Shape):
    """A file or folder."""

    path: str
    name: str
    type: Literal["file", "dir", "symlink", "other"]
    size: int
    is_dir: bool
    is_symlink: bool
    mode: Annotated[str, Field(description="Octal, as text.", pattern="^[0-7]{4}$")]
    modified_at: Moment
    target: Annotated[str, Field(description="Of a link: where it leads.")] = ""


class Listing(Shape):
    """A folder's entries; `truncated` when there are more than are listed."""

    path: str
    entries: list[Entry]
    truncated: bool


class Tree(Shape):
    """A folder as a tree."""

    path: str
    name: str
    type: Literal["dir", "file"]
    size: int = 0
    modified_at: Annotated[Moment, Field(description="Of everything but the root.")] = ""
    children: Annotated[list["Tree"], Field(default_factory=list, description="Of a folder.")]


class Folder(Shape):
    """A folder that was made."""

    path: str


class ComputerListing(Shape):
    """A folder under the keys of two clients."""

    path: str
    entries: list[Entry]
    data: list[Entry]


class Entries(Shape):
    """A folder's entries."""

    entries: list[Entry]


class ChangeFrame(Shape):
    """A change. `overflow` says that some were lost, `limit` that further folders are not watched; `message` has more then."""

    event: Literal["created", "modified", "deleted", "renamed", "overflow", "limit"]
    type: Annotated[str, Field(description="The same as `event`.")]
    path: str
    is_dir: bool
    old_path: Annotated[Text, Field(description="Of what was renamed: its path before.")]
    message: str = ""


class WatchFrame(RootModel[ChangeFrame | StreamError]):
    """What a watch carries."""


class ExportMade(Shape):
    """Where the export can be had."""

    url: Annotated[str, Field(description="A path of this API; GET it with the same key.")]
    download_url: Annotated[str, Field(description="The same as `url`.")]
    filename: str
    content_type: str
    paths: list[str]
    label: Text
