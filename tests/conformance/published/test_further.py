"""Methods beyond the contract's minimum that the client has and this system serves."""

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
