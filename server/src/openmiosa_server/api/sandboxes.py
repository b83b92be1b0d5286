"""/sandboxes: the record and its life."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from ..errors import Invalid
from ..sandboxes import CreateSandbox, SandboxFilter, UpdateSandbox
from . import sse
from .answers import data, nothing
from .bodies import Body, body, example
from .context import Asked
from .operation import operation
from .route import Route
from .schemas.common import One, Page
from .schemas.sandboxes import Readiness, ReadinessFrame, Sandbox, VariablesAnswer

router = APIRouter(prefix="/sandboxes", route_class=Route)

# What the published clients may send and what this system has no use for.
_ELSEWHERE = frozenset(
    (
        "region",
        "services",
        "readiness_probe",
        "database",
        "github_repo_url",
        "github_branch",
        "github_clone_path",
        "entrypoint",
        "allow_provision",
        "agent_runtime_profile_id",
        "agent_profile_id",
        "skip_agent_runtime_profile",
        "workspace_slug",
        "workspace_name",
        "project_id",
        "project_slug",
        "project_name",
        "runtime_profile",
        "auto_start",
        "setup_file",
        "environment",
        "environment_id",
        "env_id",
        "no_env",
        "fail_fast",
        "compute_placement_request",
        "miosa_persistent",
        "user_id",
    )
)

# The Python client calls a sandbox ready when it says so of itself, or of each of these.
_COMPONENTS = ("command_agent", "process_control", "resource_contract", "clock", "identity", "durability", "filesystem", "internal_probe")


class SandboxCreate(Body):
    """What a sandbox is asked for."""

    model_config = example({"name": "agent", "size": "small", "env": {"MODE": "draft"}, "tags": ["demo"], "timeout_sec": 3600})

    template_id: str | None = Field(default=None, max_length=255)
    snapshot_id: str | None = Field(default=None, max_length=40)
    image: str | None = Field(default=None, max_length=255)
    name: str | None = None
    slug: str | None = Field(default=None, min_length=1, max_length=255)
    size: str | None = None
    cpu_count: int | None = None
    memory_mb: int | None = None
    disk_size_mb: int | None = None
    disk_mb: int | None = None
    timeout_sec: int | None = None
    idle_timeout_sec: int | None = None
    persistent: bool | None = None
    always_on: bool | None = None
    keep_last_snapshots: int | None = Field(default=None, ge=1)
    snapshot_expiration_sec: int | None = Field(default=None, ge=1)
    env: dict[str, str] | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    workspace_id: str | None = Field(default=None, max_length=255)
    owner_user_id: str | None = Field(default=None, max_length=255)
    external_workspace_id: str | None = Field(default=None, max_length=255)
    external_user_id: str | None = Field(default=None, max_length=255)
    external_project_id: str | None = Field(default=None, max_length=255)

    @classmethod
    def known_elsewhere(cls) -> frozenset[str]:
        """The rest of the wire's create body."""
        return _ELSEWHERE

    def wanted(self) -> CreateSandbox:
        """As the service takes it."""
        return CreateSandbox(
            name=self.name,
            slug=self.slug,
            template_id=self.template_id or self.image,
            size=self.size,
            cpu_count=self.cpu_count,
            memory_mb=self.memory_mb,
            disk_size_mb=self.disk_mb if self.disk_size_mb is None else self.disk_size_mb,
            timeout_sec=self.timeout_sec,
            idle_timeout_sec=self.idle_timeout_sec,
            persistent=self.persistent is not False,
            always_on=self.always_on is True,
            env=self.env or {},
            metadata={**(self.metadata or {}), **self._retention()},
            tags=tuple(self.tags or ()),
            workspace_id=self.workspace_id,
            owner_user_id=self.owner_user_id,
            external_workspace_id=self.external_workspace_id,
            external_user_id=self.external_user_id,
            external_project_id=self.external_project_id,
        )

    def _retention(self) -> dict[str, int]:
        """How long snapshots stay: the published clients put it into the metadata, and so it is kept there."""
        given = {"keep_last_snapshots": self.keep_last_snapshots, "snapshot_expiration_sec": self.snapshot_expiration_sec}
        return {name: value for name, value in given.items() if value is not None}


class SandboxUpdate(Body):
    """What changes."""

    model_config = example({"tags": ["demo"], "metadata": {"team": "support"}})

    name: str | None = None
    slug: str | None = Field(default=None, min_length=1, max_length=255)
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    always_on: bool | None = None
    timeout_sec: int | None = Field(default=None, ge=0)
    idle_timeout_sec: int | None = Field(default=None, ge=0)
    persistent: bool | None = None


class SandboxResume(Body):
    """Variables beside those that it has."""

    model_config = example({"env": {"MODE": "final"}})

    env: dict[str, str] | None = None

    @classmethod
    def known_elsewhere(cls) -> frozenset[str]:
        """The rest of the wire's resume body."""
        return frozenset(("environment", "environment_id", "env_id", "no_env", "fail_fast"))


class SandboxExtend(Body):
    """How long from now."""

    model_config = example({"timeout_sec": 3600})

    timeout_sec: int


class SandboxTags(Body):
    """The new tags."""

    model_config = example({"tags": ["demo"]})

    tags: list[str]


class EnvVariable(Body):
    """One variable."""

    key: str
    value: str
    encrypted: bool | None = None


class EnvSet(Body):
    """The variables of a sandbox, replaced as a whole."""

    model_config = example({"vars": [{"key": "MODE", "value": "draft"}]})

    vars: list[EnvVariable]


@router.post("", **operation("sandboxes.create", One[Sandbox], scope="sandboxes:write", sdk="client.sandboxes.create", status=201))
async def create(asked: Asked, given: Annotated[SandboxCreate, body(SandboxCreate)]) -> Response:
    """Create a sandbox; it is running when this answers."""
    wanted = given.wanted()
    if given.snapshot_id is None:
        sandbox = await asked.services.sandboxes.create(asked.principal, wanted, **asked.who)
    else:
        sandbox = await asked.services.snapshots.start_from(asked.principal, given.snapshot_id, wanted, **asked.who)
    return data(sandbox.view(), status=201)


@router.get("", **operation("sandboxes.list", Page[Sandbox], scope="sandboxes:read", sdk="client.sandboxes.list"))
async def listed(
    asked: Asked,
    *,
    state: Literal["provisioning", "running", "paused", "destroyed", "error"] | None = None,
    tags: str | None = None,
    external_workspace_id: str | None = None,
    external_user_id: str | None = None,
    external_project_id: str | None = None,
    cursor: str | None = None,
    limit: int = Query(default=1000, ge=1, le=10000),
) -> Response:
    """The caller's sandboxes, newest first."""
    wanted = SandboxFilter(
        state=state,
        tags=tuple(tag for tag in (tags or "").split(",") if tag),
        external_workspace_id=external_workspace_id,
        external_user_id=external_user_id,
        external_project_id=external_project_id,
        cursor=cursor,
        limit=limit,
    )
    found, following = await asked.services.sandboxes.list_sandboxes(asked.principal, wanted, **asked.who)
    return data([sandbox.view() for sandbox in found], next_cursor=following)


@router.get(
    "/by-name/{name:path}", **operation("sandboxes.get_by_name", One[Sandbox], scope="sandboxes:read", sdk="client.sandboxes.get_by_name")
)
async def by_name(asked: Asked, name: str) -> Response:
    """A living sandbox by its name; 404 tells `get_or_create` to create it."""
    return data((await asked.services.sandboxes.by_name(asked.principal, name, **asked.who)).view())


@router.get("/{key}", **operation("sandboxes.get", One[Sandbox], scope="sandboxes:read", sdk=("client.sandboxes.get", "sandbox.refresh")))
async def get(asked: Asked, key: str) -> Response:
    """One sandbox by id or name."""
    return data((await asked.services.sandboxes.get(asked.principal, key, **asked.who)).view())


@router.patch("/{key}", **operation("sandboxes.update", One[Sandbox], scope="sandboxes:write", sdk="sandbox.update"))
async def update(asked: Asked, key: str, given: Annotated[SandboxUpdate, body(SandboxUpdate)]) -> Response:
    """Change its description and timeouts."""
    change = UpdateSandbox(
        name=given.name,
        slug=given.slug,
        tags=None if given.tags is None else tuple(given.tags),
        metadata=given.metadata,
        always_on=given.always_on,
        timeout_sec=given.timeout_sec,
        idle_timeout_sec=given.idle_timeout_sec,
        persistent=given.persistent,
    )
    return data((await asked.services.sandboxes.update(asked.principal, key, change, **asked.who)).view())


@router.patch("/{key}/tags", **operation("sandboxes.set_tags", One[Sandbox], scope="sandboxes:write", sdk="sandbox.set_tags"))
async def tag(asked: Asked, key: str, given: Annotated[SandboxTags, body(SandboxTags)]) -> Response:
    """Replace its tags."""
    change = UpdateSandbox(tags=tuple(given.tags))
    return data((await asked.services.sandboxes.update(asked.principal, key, change, **asked.who)).view())


@router.delete(
    "/{key}", **operation("sandboxes.delete", scope="sandboxes:write", sdk=("client.sandboxes.delete", "sandbox.destroy"), status=204)
)
async def destroy(asked: Asked, key: str) -> Response:
    """End it for good."""
    sandbox = await asked.services.sandboxes.destroy(asked.principal, key, **asked.who)
    asked.services.previews.close_sandbox(sandbox.id)
    return nothing()


@router.post("/{key}/pause", **operation("sandboxes.pause", One[Sandbox], scope="sandboxes:write", sdk="sandbox.pause"))
async def pause(asked: Asked, key: str) -> Response:
    """Freeze it."""
    return data((await asked.services.sandboxes.pause(asked.principal, key, **asked.who)).view())


@router.post("/{key}/stop", **operation("sandboxes.stop", One[Sandbox], scope="sandboxes:write", sdk="sandbox.stop"))
async def stop(asked: Asked, key: str) -> Response:
    """The published clients resume only what is `paused`, so that is what stopping does."""
    return data((await asked.services.sandboxes.pause(asked.principal, key, **asked.who)).view())


@router.post("/{key}/resume", **operation("sandboxes.resume", One[Sandbox], scope="sandboxes:write", sdk="sandbox.resume"))
async def resume(asked: Asked, key: str, given: Annotated[SandboxResume, body(SandboxResume)]) -> Response:
    """Let it run again, with these variables from now on."""
    return data((await asked.services.sandboxes.resume(asked.principal, key, given.env, **asked.who)).view())


@router.post("/{key}/extend", **operation("sandboxes.extend", One[Sandbox], scope="sandboxes:write", sdk="sandbox.extend"))
async def extend(asked: Asked, key: str, given: Annotated[SandboxExtend, body(SandboxExtend)]) -> Response:
    """More time."""
    return data((await asked.services.sandboxes.extend(asked.principal, key, given.timeout_sec, **asked.who)).view())


@router.get("/{key}/readiness", **operation("sandboxes.readiness", One[Readiness], scope="sandboxes:read", sdk="sandbox.readiness"))
async def readiness(asked: Asked, key: str) -> Response:
    """Whether it takes commands."""
    return data(_readiness(await asked.services.sandboxes.get(asked.principal, key, **asked.who)))


@router.get(
    "/{key}/readiness/stream",
    **operation("sandboxes.readiness_stream", stream=ReadinessFrame, scope="sandboxes:read", sdk="sandbox.wait_until_ready"),
)
async def readiness_stream(asked: Asked, key: str) -> Response:
    """The same as one event; creation is synchronous, so there is nothing to wait for."""
    said = _readiness(await asked.services.sandboxes.get(asked.principal, key, **asked.who))

    async def frames() -> AsyncIterator[str]:
        name = "ready" if said["ready"] else "timeout"
        yield sse.frame({"type": name, **said}, event=name)

    return sse.stream(frames())


@router.get("/{key}/env", **operation("env.list", VariablesAnswer, scope="sandboxes:read", sdk="sandbox.env.list"))
async def variables(asked: Asked, key: str) -> Response:
    """The sandbox's own variables; placeholders are listed by the bindings."""
    return _variables(await asked.services.sandboxes.get(asked.principal, key, record=True, **asked.who))


@router.put("/{key}/env", **operation("env.set", VariablesAnswer, scope="sandboxes:write", sdk="sandbox.env.set"))
async def set_variables(asked: Asked, key: str, given: Annotated[EnvSet, body(EnvSet)]) -> Response:
    """Replace them; processes that run keep what they had."""
    for variable in given.vars:
        if variable.encrypted:
            raise Invalid(
                "variables of a sandbox are not encrypted: its agent can read them; store a secret with expose_as_env instead",
                details={"field": "encrypted"},
            )
    env = {variable.key: variable.value for variable in given.vars}
    return _variables(await asked.services.sandboxes.update(asked.principal, key, UpdateSandbox(env=env), **asked.who))


@router.delete("/{key}/env/{name}", **operation("env.delete", VariablesAnswer, scope="sandboxes:write", sdk="sandbox.env.delete"))
async def drop_variable(asked: Asked, key: str, name: str) -> Response:
    """Remove one."""
    return _variables(await asked.services.sandboxes.update(asked.principal, key, UpdateSandbox(env_without=name), **asked.who))


def _variables(sandbox: Any) -> Response:
    listed = [{"key": name, "value": value, "encrypted": False} for name, value in sorted(sandbox.env.items())]
    return data({"vars": listed}, vars=listed)


def _readiness(sandbox: Any) -> dict[str, Any]:
    ready = sandbox.state == "running"
    status = "ready" if ready else sandbox.state
    return {
        "id": sandbox.id,
        "state": sandbox.state,
        "ready": ready,
        "status": status,
        "reason": sandbox.state_reason,
        "components": {name: {"status": "ready" if ready else "waiting"} for name in _COMPONENTS},
    }
