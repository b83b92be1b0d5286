"""Where an installation keeps what: the state folder, the run folder with its sockets, and who owns them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .. import settings as configuration

# The id that egressd runs under when root starts the system: above login and container ranges, below the ids that cell
# gives to sandboxes (0x20000000 and up), so that no sandbox's process is ever the same user as the gateway.
EGRESS_UID = 0x1FFF_F000


@dataclass(frozen=True)
class Layout:
    """The folders and files of one installation."""

    state: Path
    run: Path

    @property
    def config(self) -> Path:
        """The one configuration file, when no other is named."""
        return self.state / "openmiosa.toml"

    @property
    def egress_config(self) -> Path:
        """The sections that egressd reads, written by `up`: egressd need not be able to read the rest.

        What `up` writes lies in the state folder and not beside the sockets, where egressd's own user makes files: a
        link that it put there would lead a write of ours to any file of this machine.
        """
        return self.state / "egressd.toml"

    @property
    def extra_authorities(self) -> Path:
        """The operator's extra authorities, as egressd reads them."""
        return self.state / "extra-ca.pem"

    @property
    def bootstrap_key(self) -> Path:
        """Where the server of a first start leaves the admin key for `up`."""
        return self.state / "bootstrap.key"

    @property
    def lock(self) -> Path:
        """Held by the one `up` of this state folder."""
        return self.state / "up.lock"

    @property
    def journal(self) -> Path:
        """egressd's append-only segments."""
        return self.state / "journal"

    @property
    def cell(self) -> Path:
        """The writable folders of the sandboxes."""
        return self.state / "cell"

    @property
    def templates(self) -> Path:
        """Layers that `openmiosa template build` made."""
        return self.state / "templates"

    @property
    def log(self) -> Path:
        """One log file a program."""
        return self.state / "log"

    @property
    def up(self) -> Path:
        """What runs now: address and process ids, for tools and tests."""
        return self.state / "up.json"


def layout(state: Path) -> Layout:
    """The layout of a state folder."""
    return Layout(state.absolute(), configuration.run_path(state))


def egress_uid() -> int | None:
    """The id egressd is given; None when it keeps the caller's own."""
    return EGRESS_UID if os.geteuid() == 0 else None


def prepare(places: Layout) -> None:
    """Make every folder with its owner and mode. A run folder that somebody else made is refused."""
    uid = egress_uid()
    places.state.mkdir(parents=True, exist_ok=True)
    # egressd must pass through to its journal and to the sockets, and see nothing else.
    _own(places.state, 0, uid, 0o710 if uid else 0o700)
    for folder in (places.cell, places.templates, places.log):
        folder.mkdir(exist_ok=True)
        _own(folder, 0, None, 0o700)
    places.journal.mkdir(exist_ok=True)
    _own(places.journal, uid, uid, 0o700)
    if places.config.is_file() and not places.config.is_symlink():
        # It may hold secrets of providers, and egressd's user passes through this folder.
        os.chmod(places.config, 0o600)
    try:
        places.run.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_foreign(places.run)
    # Sticky: egressd makes its own socket here and cannot remove the others'.
    _own(places.run, 0, uid, 0o1770 if uid else 0o700)


def _own(path: Path, uid: int | None, gid: int | None, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid or 0, gid or 0)
    os.chmod(path, mode)


def _refuse_foreign(run: Path) -> None:
    seen = run.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise PermissionError(
            f"{run} is not a folder of user {os.geteuid()}. Someone else made it: remove it, or name another state folder with --state."
        )
