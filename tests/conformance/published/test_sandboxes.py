"""Rows 0 to 6, 34 and 38: who may ask, and the life of a sandbox."""

import uuid
from typing import Any

import miosa
import pytest

from .drive import Loop, connected
from .stage import Stage

method = pytest.mark.method


@method(0, "errors: AuthenticationError")
def test_a_wrong_key_is_an_authentication_error(kind: str, loop: Loop, stage: Stage):
    options = {"api_key": "msk_live_wrong", "base_url": stage.base_url}
    with connected(kind, loop, **options) as stranger, pytest.raises(miosa.AuthenticationError) as refused:
        stranger.sandboxes.list()
    assert refused.value.status_code == 401


@method(0, "errors: NotFoundError")
def test_an_unknown_sandbox_is_a_not_found_error_with_a_request_id(client: Any):
    with pytest.raises(miosa.NotFoundError) as refused:
        client.sandboxes.get("sbx_nobody")
    assert (refused.value.status_code, refused.value.code) == (404, "NOT_FOUND")
    assert refused.value.request_id.startswith("req_")


@method(0, "errors: ValidationError")
def test_a_body_that_does_not_fit_is_a_validation_error_with_its_field(client: Any):
    with pytest.raises(miosa.ValidationError) as refused:
        client.secrets.set(name="bad", value="x", expose_as_env="not a name")
    assert (refused.value.status_code, refused.value.details["field"]) == (422, "expose_as_env")


@method(0, "errors: PermissionError")
def test_a_key_without_the_scope_is_a_permission_error(client: Any, kind: str, loop: Loop, stage: Stage):
    made = client.api_keys.create(name=f"reader-{kind}", scopes=["sandboxes:read"])
    with connected(kind, loop, api_key=made["token"], base_url=stage.base_url) as reader:
        assert isinstance(reader.sandboxes.list(), list)
        with pytest.raises(miosa.errors.PermissionError) as refused:
            reader.sandboxes.create(name="never")
    assert refused.value.status_code == 403
    client.api_keys.delete(made["id"])


@method(1, "sandboxes.create")
def test_a_sandbox_runs_when_create_returns(own: Any):
    assert (own.state, own.ready, own.template_id) == ("running", True, "host")
    assert own.created_at <= own.ready_at
    assert own.exec("true").exit_code == 0


@method(1, "sandboxes.create(idempotency_key=)")
def test_a_create_that_is_sent_twice_makes_one_sandbox(client: Any, kind: str):
    key = str(uuid.uuid4())
    first, second = (client.sandboxes.create(name=f"twice-{kind}", idempotency_key=key, wait=True) for _ in range(2))
    assert first.id == second.id
    first.destroy()


@method(1, "sandboxes.create_agent_workspace")
def test_an_agent_workspace_is_persistent_and_says_what_it_is(client: Any, kind: str):
    made = client.sandboxes.create_agent_workspace(f"workspace-{kind}")
    assert (made.persistent, made.timeout_sec, made.idle_timeout_sec) == (True, 86400, 1800)
    assert made.metadata["miosa_workspace_kind"] == "agent_workspace"
    assert client.sandboxes.create_agent_workspace(f"workspace-{kind}").id == made.id
    made.destroy()


@method(2, "sandboxes.get")
def test_a_sandbox_is_found_by_id_and_by_name(client: Any, box: Any):
    assert [client.sandboxes.get(key).id for key in (box.id, box.name)] == [box.id, box.id]


@method(2, "sandboxes.connect")
def test_connect_gives_a_handle_that_works(client: Any, box: Any):
    assert client.sandboxes.connect(box.id).exec("echo here").stdout == "here\n"


@method(2, "sandbox.refresh")
def test_a_handle_learns_what_another_one_did(client: Any, own: Any):
    client.sandboxes.get(own.id).pause()
    assert own.refresh().state == "paused"


@method(3, "sandboxes.get_by_name")
def test_a_sandbox_is_found_by_its_name_until_it_is_gone(client: Any, kind: str):
    made = client.sandboxes.create(name=f"walk.{kind}-1")
    assert client.sandboxes.get_by_name(made.name).id == made.id
    made.destroy()
    with pytest.raises(miosa.NotFoundError):
        client.sandboxes.get_by_name(made.name)


@method(3, "sandboxes.get_or_create")
def test_get_or_create_creates_once_and_wakes_what_is_paused(client: Any, kind: str):
    made = client.sandboxes.get_or_create(f"once-{kind}", wait_until_ready=True)
    made.pause()
    again = client.sandboxes.get_or_create(f"once-{kind}")
    assert (again.id, again.state) == (made.id, "running")
    again.destroy()


@method(4, "sandboxes.list")
def test_a_list_honours_state_tags_and_owners(client: Any, kind: str):
    made = client.sandboxes.create(name=f"listed-{kind}", tags=["blue", kind], external_user_id=f"u-{kind}", external_project_id="p1")
    filters: list[dict[str, Any]] = [
        {"tags": ["blue", kind]},
        {"external_user_id": f"u-{kind}"},
        {"external_user_id": f"u-{kind}", "external_project_id": "p1", "state": "running"},
    ]
    assert [[found.id for found in client.sandboxes.list(**wanted)] for wanted in filters] == [[made.id]] * 3
    assert client.sandboxes.list(external_user_id=f"u-{kind}", state="paused") == []
    made.destroy()


@method(5, "sandbox.wait_until_ready")
def test_the_readiness_stream_says_ready(box: Any):
    assert box.wait_until_ready(timeout=10) is True


@method(6, "sandbox.wait_until_ready(stream=False)")
def test_readiness_satisfies_the_clients_strict_check(box: Any):
    assert box.wait_until_ready(timeout=10, stream=False, require_command_ready=True) is True


@method(6, "sandbox.readiness")
def test_readiness_says_ready_and_why(box: Any):
    said = box.readiness()
    assert (said["ready"], said["status"], said["components"]["command_agent"]["status"]) == (True, "ready", "ready")


@method(34, "sandbox.pause")
@method(34, "sandbox.resume")
def test_a_paused_sandbox_goes_on_where_it_was(own: Any):
    pid = own.processes.start("sleep 300")["pid"]
    assert own.pause().state == "paused"
    assert own.resume().state == "running"
    assert own.processes.get(pid)["exit_code"] is None


@method(34, "sandbox.resume(idempotency_key=)")
def test_a_resume_that_is_sent_twice_is_one(own: Any):
    own.pause()
    key = str(uuid.uuid4())
    assert [own.resume(idempotency_key=key).state for _ in range(2)] == ["running", "running"]


@method(34, "sandbox.stop")
def test_a_stopped_sandbox_reads_as_paused_and_wakes_for_a_command(own: Any):
    assert own.stop().state == "paused"
    assert own.exec("echo awake").stdout == "awake\n"


@method(34, "sandbox.extend")
def test_extend_counts_from_now(own: Any):
    assert 99_000 < own.extend(timeout_sec=100).timeout_remaining_ms <= 101_000


@method(38, "sandbox.destroy")
def test_a_destroyed_sandbox_takes_no_command(client: Any, own: Any):
    own.destroy()
    assert own.state == "destroyed"
    with pytest.raises(miosa.MiosaError, match="destroyed"):
        own.exec("true")
    with pytest.raises(miosa.NotFoundError):
        client.sandboxes.get_by_name(own.name)


@method(38, "sandboxes.delete")
def test_a_sandbox_is_destroyed_by_its_id(client: Any, own: Any):
    client.sandboxes.delete(own.id)
    assert own.id not in [left.id for left in client.sandboxes.list()]
    own.state = "destroyed"


@method("next", "sandbox.usage")
def test_usage_says_what_the_sandbox_may_use(box: Any):
    said = box.usage()
    assert (said["sandbox_id"], said["state"]) == (box.id, "running")
    assert said["memory_mb"] == box.memory_mb
