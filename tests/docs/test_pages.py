"""Every block of the tutorial's and the guides' pages does what its page says."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from openmiosa import Miosa
from openmiosa_server.testing import System

from . import blocks
from .place import PAGES, Place
from .runner import Page
from .sessions import Session


@dataclass(frozen=True)
class Reading:
    """What is there before a page is read, and how many of its blocks are shown only."""

    text: int = 0
    before: Callable[[Place, Session], None] = lambda place, session: None
    after: Callable[[Place, Session], None] = lambda place, session: None


def _own_state(place: Place, session: Session) -> None:
    """The reader's state folder is that of the server that runs, and a secret is in its vault."""
    session.environment["OPENMIOSA_STATE"] = str(place.world.system.state)
    place.world.client.secrets.set(
        name="kept", value="acme-key-of-the-tests", scope="tenant", expose_as_env="KEPT", allowed_hosts=["api.acme.example"]
    )


def _restored(place: Place, session: Session) -> None:
    """The copies that the page made are a whole system again: the vault opens, and the value goes where it did."""
    # As root, egressd runs under an id of its own and has to pass through the folders above.
    above = Path(tempfile.mkdtemp(prefix="openmiosa-restored-"))
    above.chmod(0o711)
    state = above / "state"
    subprocess.run(["cp", "-a", str(session.folder / "data-backup"), str(state)], check=True)
    subprocess.run(["cp", "-a", str(session.folder / "keys-backup/kek"), str(state)], check=True)
    authority = place.world.folder / "authority.pem"
    try:
        with (
            System(state, extra_ca_files=[authority]) as system,
            Miosa(place.world.system.api_key, system.base_url) as client,
            client.sandboxes.create() as sandbox,
        ):
            said = sandbox.exec('curl -s -H "Authorization: Bearer $KEPT" https://api.acme.example/v1/orders').stdout
    finally:
        shutil.rmtree(above)
    assert said == '{"path": "/v1/orders"}'
    place.world.client.secrets.delete("kept")


READINGS = {
    "guides/self-hosting.md": Reading(text=4, before=_own_state, after=_restored),
    "guides/moving-from-miosa.md": Reading(text=1),
    "guides/connect-a-provider.md": Reading(text=1),
}


def read_pages() -> list[str]:
    """The pages whose blocks run."""
    return sorted(path.relative_to(PAGES).as_posix() for folder in ("guides", "concepts") for path in (PAGES / folder).glob("*.md"))


# Some pages start systems of their own and compile programs; on a busy machine that takes its time.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", read_pages())
def test_every_block_of_the_page_does_what_the_page_says(name: str, place: Place, tmp_path: Path):
    reading = READINGS.get(name, Reading())
    session = Session(tmp_path, _variables(place, tmp_path), place.heard)
    try:
        reading.before(place, session)
        page = Page(session)
        for block in blocks.of(PAGES / name):
            page.take(block)
        reading.after(place, session)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{place.troubles}") from None
    finally:
        session.close()
        for sandbox in place.world.client.sandboxes.list():
            sandbox.destroy()
    assert place.troubles == []
    assert page.counts["text"] == reading.text, f"{name}: blocks that are shown and not run are named in READINGS, and are few"
    print(f"{name}: {dict(page.counts)}")


def test_there_are_pages():
    assert len(read_pages()) >= 12
    assert set(READINGS) <= set(read_pages())


def _variables(place: Place, folder: Path) -> dict[str, str]:
    """What a reader has in the environment: the key and the address of a server, and an OpenAI key."""
    binaries = {name: os.environ[name] for name in ("OPENMIOSA_BIN_DIR",) if name in os.environ}
    return {
        **binaries,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "COLUMNS": "120",
        "LANG": "C.UTF-8",
        "MIOSA_API_KEY": place.world.system.api_key,
        "MIOSA_BASE_URL": place.world.system.base_url,
        "OPENMIOSA_CONTEXTS": str(folder / "contexts.json"),
        "OPENAI_API_KEY": place.keys["old"],
        "OPENAI_API_KEY_2": place.keys["new"],
        "ACME_API_KEY": "acme-key-of-the-tests",
    }


def test_nearly_every_block_is_run_or_compared(capsys: pytest.CaptureFixture[str]):
    kinds = Counter(block.kind for name in read_pages() for block in blocks.of(PAGES / name))
    checked = sum(kinds[kind] for kind in (*blocks.RUN, *blocks.CHECKED))
    with capsys.disabled():
        print(f"\nblocks of the guides: {checked} of {kinds.total()} run or compared {dict(kinds)}")
    assert set(kinds) <= set(blocks.KINDS)
    assert kinds["text"] == sum(reading.text for reading in READINGS.values()) <= 0.1 * kinds.total()
