"""Methods beyond the contract's minimum that the client has and this system serves."""

import time
from typing import Any

import miosa
import pytest

from .drive import Loop, connected
from .stage import Stage

further = pytest.mark.further


@further("api_keys.get")
def test_one_key_is_described(client: Any, kind: str):
    made = client.api_keys.create(name=f"got-{kind}")
    assert client.api_keys.get(made["id"])["name"] == f"got-{kind}"
    client.api_keys.delete(made["id"])


@further("api_keys.create_scoped")
def test_a_scoped_key_sees_one_user_outside(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.api_keys.create_scoped(external_user_id=f"eve-{kind}", scopes=["sandboxes:read", "sandboxes:write"])
    with connected(kind, loop, api_key=made["token"], base_url=stage.base_url) as holder:
        assert holder.sandboxes.list() == []
    client.api_keys.delete(made["id"])


@further("audit_log.list")
def test_the_administrative_log_names_what_was_done(client: Any, kind: str):
    made = client.api_keys.create(name=f"logged-{kind}")
    client.api_keys.delete(made["id"])
    assert made["id"] in {entry["resource_id"] for entry in client.audit_log.list(limit=50)}


@further("sandbox.share.create")
def test_a_share_cannot_be_made_either(box: Any):
    with pytest.raises(miosa.ServerError) as refused:
        box.share.create()
    assert refused.value.code == "NOT_SUPPORTED"


@further("sandbox.update")
def test_an_update_changes_what_it_names(own: Any):
    changed = own.update(metadata={"team": "blue"}, tags=["a", "b"], timeout_sec=900)
    assert (changed.metadata, changed.data["tags"], changed.timeout_sec) == ({"team": "blue"}, ["a", "b"], 900)


@further("sandbox.tags.set")
def test_tags_are_replaced(own: Any):
    assert own.tags.set(["x"])["tags"] == ["x"]


@further("api_keys.update")
def test_a_key_is_renamed(client: Any, kind: str):
    made = client.api_keys.create(name=f"before-{kind}")
    assert client.api_keys.update(made["id"], name=f"after-{kind}")["name"] == f"after-{kind}"
    client.api_keys.delete(made["id"])


@further("api_keys.rotate")
def test_a_rotated_key_is_another_one(client: Any, kind: str):
    made = client.api_keys.create(name=f"turned-{kind}")
    rotated = client.api_keys.rotate(made["id"])
    assert rotated["token"] != made["token"]
    client.api_keys.delete(rotated["id"])


@further("api_keys.events")
def test_a_keys_events_are_listed(client: Any, kind: str):
    made = client.api_keys.create(name=f"seen-{kind}")
    client.api_keys.update(made["id"], name=f"noticed-{kind}")
    events = client.api_keys.events(made["id"], limit=5)
    assert events
    assert all(isinstance(event["id"], str) for event in events)
    client.api_keys.delete(made["id"])


@further("api_keys.create_preset")
@further("api_keys.presets")
@further("api_keys.delete_preset")
def test_a_preset_is_kept_until_it_is_deleted(client: Any, kind: str):
    client.api_keys.create_preset(name=f"preset-{kind}", scopes=["audit:read"], description="reads the log")
    assert f"preset-{kind}" in {preset["name"] for preset in client.api_keys.presets()}
    client.api_keys.delete_preset(f"preset-{kind}")
    assert f"preset-{kind}" not in {preset["name"] for preset in client.api_keys.presets()}


@further("tokens.create_scoped")
def test_a_scoped_token_works_and_ends(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.tokens.create_scoped(user_id=f"eve-{kind}", workspace_id="w", expires_in_seconds=600, scopes=["sandboxes:read"])
    assert made["scopes"] == ["sandboxes:read"]
    assert made["expires_at"] > time.strftime("%Y-%m-%d")
    with connected(kind, loop, access_token=made["token"], base_url=stage.base_url) as holder:
        assert isinstance(holder.sandboxes.list(), list)
