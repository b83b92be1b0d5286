"""Watchers of what happens to sandboxes, without a system around them."""

import gc
from types import SimpleNamespace
from typing import Any, cast

import pytest
from openmiosa_server.identity import SCOPES, Principal
from openmiosa_server.sandboxes.lifecycle import Lifecycle

pytestmark = pytest.mark.anyio

MINE = cast(Any, SimpleNamespace(id="sbx_1", name="a", tenant_id="ten_1", external_user_id="u1", external_workspace_id=None))
OWNER = Principal("ten_1", "key_1", "k", frozenset(SCOPES), "u1")


async def test_a_watcher_that_is_dropped_before_its_first_look_leaves_nothing_behind() -> None:
    lifecycle = Lifecycle()
    watcher = lifecycle.follow(OWNER)
    assert lifecycle.watched(MINE)
    del watcher
    gc.collect()
    assert not lifecycle.watched(MINE)


async def test_a_watcher_that_is_closed_before_its_first_look_leaves_nothing_behind() -> None:
    lifecycle = Lifecycle()
    watcher = lifecycle.follow(OWNER)
    await cast(Any, watcher).aclose()
    assert not lifecycle.watched(MINE)


async def test_what_is_told_before_the_first_look_is_kept_for_it() -> None:
    lifecycle = Lifecycle()
    watcher = lifecycle.follow(OWNER, "sbx_1")
    lifecycle.tell("sandbox.paused", MINE)
    assert (await anext(watcher))["action"] == "sandbox.paused"
