"""Row 33: API keys; and what else a key's holder may ask."""

from typing import Any

import miosa
import pytest

from .drive import Loop, connected
from .stage import Stage

method = pytest.mark.method


@method(33, "api_keys.create")
@method(33, "api_keys.delete")
def test_a_key_works_from_its_creation_to_its_deletion(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.api_keys.create(name=f"made-{kind}", scopes=["sandboxes:read"])
    assert (made["token"], made["scopes"]) == (made["key"], ["sandboxes:read"])
    with connected(kind, loop, api_key=made["token"], base_url=stage.base_url) as holder:
        assert isinstance(holder.sandboxes.list(), list)
        client.api_keys.delete(made["id"])
        with pytest.raises(miosa.AuthenticationError):
            holder.sandboxes.list()


@method(33, "api_keys.list")
def test_keys_are_listed_without_the_keys(client: Any, kind: str):
    made = client.api_keys.create(name=f"listed-{kind}")
    listed = {key["id"]: key for key in client.api_keys.list()}
    assert made["token"].startswith(listed[made["id"]]["prefix"])
    assert not {"token", "key"} & set(listed[made["id"]])
    client.api_keys.delete(made["id"])
