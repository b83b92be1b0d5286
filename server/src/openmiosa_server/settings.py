"""The only reader of the configuration: one TOML file, then environment variables `OPENMIOSA_SECTION__KEY` over it.

Unknown keys are errors, so that a misspelled setting is never silently without effect. `describe` lists every
setting with the place it came from, and shows no secret.
"""

import hashlib
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

PREFIX = "OPENMIOSA_"
# As a browser sends it: lower case, no path, and no `*`, since a page of anybody must not use a key that it was given.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?\Z")
SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux; the longest socket name must fit with its NUL


class BadSettings(Exception):
    """The configuration cannot be used; the message says which key and why."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ServerSettings(_Section):
    """`[server]`: where the API listens."""

    bind: str = "127.0.0.1:7878"
    public_url: str | None = None
    trusted_proxies: list[str] = []
    tls_cert: Path | None = None
    tls_key: Path | None = None
    drain_seconds: float = Field(default=10.0, gt=0, le=300)
    browser_origins: list[str] = []

    @field_validator("browser_origins")
    @classmethod
    def _origins(cls, given: list[str]) -> list[str]:
        for origin in given:
            if not _ORIGIN.match(origin):
                raise ValueError(f'{origin!r} is no origin; write "https://app.example.com", with a port if it has one, without a path')
        return given

    @property
    def host(self) -> str:
        """The address part of `bind`."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of `bind`."""
        return int(self.bind.rpartition(":")[2])

    @field_validator("bind")
    @classmethod
    def _bind_has_a_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError('must be "address:port", such as "127.0.0.1:7878"')
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class DatabaseSettings(_Section):
    """`[database]`: SQLite in the state folder unless a URL is given."""

    url: SecretStr | None = None


class VaultSettings(_Section):
    """`[vault]`: where the key-encryption key is: a file, OpenBao or Vault transit, AWS KMS."""

    key: Literal["file", "transit", "kms"] = "file"
    path: Path | None = None
    address: str | None = None
    key_name: str | None = None
    mount: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    key_id: str | None = None
    region: str | None = None

    def options(self) -> dict[str, Any]:
        """What was given for the kind of key."""
        names = {"transit": ("address", "key_name", "mount", "token_file", "ca_file"), "kms": ("key_id", "region"), "file": ("path",)}
        return {name: value for name in names[self.key] if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _complete(self) -> "VaultSettings":
        needed = {"transit": ("address", "key_name", "token_file"), "kms": ("key_id",), "file": ()}[self.key]
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"vault.key = {self.key!r} needs {', '.join(missing)}")
        return self


class EgressSettings(_Section):
    """`[egress]`: read by egressd; the server only checks the names."""

    model_config = ConfigDict(extra="allow")
    durability: Literal["write", "power"] = "write"


class UpstreamSettings(_Section):
    """`[upstream]`: read by server and egressd alike; the only way around the address guard."""

    extra_ca_files: list[Path] = []
    static_hosts: dict[str, str] = {}

    @field_validator("static_hosts")
    @classmethod
    def _pairs_of_host_and_port(cls, value: dict[str, str]) -> dict[str, str]:
        for name, address in value.items():
            host, _, port = name.rpartition(":")
            target, _, target_port = address.rpartition(":")
            if not host or not port.isdigit() or not target_port.isdigit():
                raise ValueError(f'{name!r} = {address!r} must read "name:port" = "address:port"')
            ipaddress.ip_address(target.strip("[]"))
        return {name.lower(): address for name, address in value.items()}


class SandboxSettings(_Section):
    """`[sandboxes]`: what a sandbox gets when its creator does not say."""

    default_template: str = "host"
    cpu_count: int = Field(default=2, ge=1, le=256)
    memory_mb: int = Field(default=2048, ge=64)
    disk_size_mb: int = Field(default=10240, ge=16)
    processes: int = Field(default=512, ge=8)
    open_files: int = Field(default=4096, ge=64)
    timeout_sec: int | None = Field(default=None, ge=1)
    idle_timeout_sec: int | None = Field(default=None, ge=1)
    max_per_tenant: int = Field(default=1000, ge=1)
    max_output_bytes: int = Field(default=16 * 2**20, ge=1024)
    max_file_bytes: int = Field(default=64 * 2**20, ge=1024)


class ProviderSettings(_Section):
    """`[oauth.providers.NAME]`: the operator's registration with a provider, or a whole provider of one's own."""

    client_id: str | None = None
    client_secret: SecretStr | None = None
    display_name: str | None = None
    authorize_url: str | None = None
    token_url: str | None = None
    device_url: str | None = None
    userinfo_url: str | None = None
    account_field: str | None = None
    revocation_url: str | None = None
    issuer: str | None = None
    scopes: list[str] | None = None
    hosts: list[str] | None = None
    expose_as_env: str | None = None
    client_auth: Literal["client_secret_post", "client_secret_basic", "none"] | None = None
    authorize_parameters: dict[str, str] | None = None


class OAuthSettings(_Section):
    """`[oauth]`: connected accounts."""

    providers: dict[str, ProviderSettings] = {}
    redirect_hosts: list[str] = []


class LogSettings(_Section):
    """`[log]`: how much is logged and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    vault: VaultSettings = VaultSettings()
    egress: EgressSettings = EgressSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    sandboxes: SandboxSettings = SandboxSettings()
    oauth: OAuthSettings = OAuthSettings()
    log: LogSettings = LogSettings()
    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a program gives, then the environment, then the file; nothing else is read."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=cls.model_config.get("toml_file")))

    def database_url(self, state: Path) -> str:
        """The configured URL, else SQLite in the state folder."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{(state / 'openmiosa.db').absolute()}"

    def registrations(self) -> dict[str, dict[str, Any]]:
        """The operator's OAuth providers as plain values, their secrets still wrapped."""
        return {name: {field: getattr(given, field) for field in type(given).model_fields} for name, given in self.oauth.providers.items()}

    def public_url(self, port: int | None = None) -> str:
        """The address under which browsers reach the API, without a trailing slash."""
        if self.server.public_url:
            return self.server.public_url.rstrip("/")
        host = "localhost" if self.server.is_loopback else self.server.host
        return f"{'https' if self.server.tls_cert else 'http'}://{host}:{port or self.server.port}"


def load(config: Path | None, state: Path | None = None) -> Settings:
    """Read the file (by default the one in the state folder; it may be absent) and the environment.

    BadSettings names every key that is wrong.
    """
    if config is None and state is not None:
        config = state / "openmiosa.toml"
    if config is not None and not config.is_file():
        config = None

    class FromFile(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "toml_file": config})

    known = {f"{PREFIX}{name}__".upper() for name in Settings.model_fields}
    unknown = [
        name for name in os.environ if name.startswith(PREFIX) and "__" in name and not any(name.startswith(start) for start in known)
    ]
    if unknown:
        raise BadSettings(f"unknown settings in the environment: {', '.join(sorted(unknown))}")
    try:
        settings = FromFile()
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{config}: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors())
        raise BadSettings(f"{config or 'environment'}: {problems}") from error
    _check_bind(settings.server)
    settings._file = config
    return settings


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting as (name, value, source); values of secrets are not shown."""
    config = settings._file
    from_file = tomllib.loads(config.read_text()) if config is not None and config.is_file() else {}
    return [
        row
        for section in Settings.model_fields
        for row in _walk(section, getattr(settings, section), from_file.get(section, {}), str(config))
    ]


def state_folder(given: str | None = None) -> Path:
    """`--state`, else OPENMIOSA_STATE, else the usual place for this user."""
    chosen = given or os.environ.get("OPENMIOSA_STATE")
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/openmiosa")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "openmiosa"


def config_file(given: str | None, state: Path) -> Path:
    """`--config`, else OPENMIOSA_CONFIG, else the file in the state folder."""
    chosen = given or os.environ.get("OPENMIOSA_CONFIG")
    return Path(chosen).absolute() if chosen else state / "openmiosa.toml"


def link_peers() -> frozenset[int]:
    """Who besides ourselves and root may speak on link.sock: OPENMIOSA_LINK_PEER_UIDS, which `up` sets, comma-separated."""
    given = os.environ.get("OPENMIOSA_LINK_PEER_UIDS", "")
    try:
        return frozenset(int(uid) for uid in given.split(",") if uid)
    except ValueError:
        raise BadSettings(f"OPENMIOSA_LINK_PEER_UIDS = {given!r} is no list of user ids") from None


def run_path(state: Path) -> Path:
    """Where the sockets go: in the state folder, or in a folder of this user in /tmp when that path is too long for a socket."""
    usual = state.absolute() / "run"
    if len(os.fsencode(usual / "listeners.sock")) <= SOCKET_PATH_LIMIT:
        return usual
    digest = hashlib.sha256(os.fsencode(state.absolute())).hexdigest()[:12]
    return Path("/tmp") / f"openmiosa-{os.geteuid()}-{digest}"  # noqa: S108 — `up` refuses a folder that is not ours


def _check_bind(server: ServerSettings) -> None:
    if bool(server.tls_cert) != bool(server.tls_key):
        raise BadSettings("server.tls_cert and server.tls_key belong together: set both or neither")
    if server.is_loopback or server.tls_cert or server.trusted_proxies:
        return
    raise BadSettings(
        f"server.bind = {server.bind!r} would offer API keys in clear text on a network: set server.tls_cert and server.tls_key, "
        "or name the TLS proxies in front of it in server.trusted_proxies, or bind to 127.0.0.1"
    )


def _walk(name: str, value: Any, given: Any, config: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, BaseModel):
        fields = [*type(value).model_fields, *(value.model_extra or {})]
        for field in fields:
            yield from _walk(f"{name}.{field}", getattr(value, field), given.get(field) if isinstance(given, dict) else None, config)
        return
    if isinstance(value, dict) and any(isinstance(part, BaseModel) for part in value.values()):
        for key, part in value.items():
            yield from _walk(f"{name}.{key}", part, given.get(key) if isinstance(given, dict) else None, config)
        return
    variable = PREFIX + name.replace(".", "__").upper()
    source = f"environment {variable}" if variable in {key.upper() for key in os.environ} else config if given is not None else "default"
    yield name, "(set, not shown)" if isinstance(value, SecretStr) else str(value), source
