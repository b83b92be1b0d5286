"""The tables, in SQLAlchemy Core, the same on SQLite and PostgreSQL.

Ids are text (`sbx_` + ULID), times are UTC, JSON columns hold plain values.
Real secret values stand nowhere but in `secret_versions.envelope`, encrypted.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Time(TypeDecorator[datetime]):
    """A time in UTC, aware on both databases: SQLite stores no offset, so it is taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: in UTC; a time without an offset is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without an offset was given to the database; use db.clock.now()")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[str]:
    return Column("id", String(40), primary_key=True)


def _tenant() -> Column[str]:
    return Column("tenant_id", String(40), ForeignKey("tenants.id"), nullable=False, index=True)


def _times() -> list[Column[datetime]]:
    return [Column("created_at", Time, nullable=False), Column("updated_at", Time, nullable=False)]


# Small facts of the installation: `epoch` (raised at each start), `schema` and the like.
server_state = Table("server_state", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

tenants = Table("tenants", metadata, _id(), Column("name", String(255), nullable=False), Column("created_at", Time, nullable=False))

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _tenant(),
    Column("name", String(255), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256, hex; the key has 160 random bits
    Column("previous_hash", String(64), index=True),  # what a rotation replaced, good until previous_until
    Column("previous_until", Time),
    Column("kind", String(16), nullable=False, server_default="key"),  # key, or token: short-lived, and in no list
    Column("parent_id", String(40), index=True),  # the key that made it, with whose revocation it ends
    Column("scopes", JSON, nullable=False),
    Column("external_user_id", String(255)),
    Column("description", Text),
    Column("metadata", JSON),
    Column("ip_allowlist", JSON),  # networks that it may be used from; null is any
    Column("expires_at", Time),
    Column("revoked_at", Time),
    Column("rotated_at", Time),
    Column("last_used_at", Time),
    Column("created_at", Time, nullable=False),
)

# Named sets of scopes of a tenant, beside those that are built in.
key_presets = Table(
    "key_presets",
    metadata,
    Column("tenant_id", String(40), ForeignKey("tenants.id"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("scopes", JSON, nullable=False),
    Column("description", Text),
    Column("created_at", Time, nullable=False),
)

# For browsers, whose EventSource can send no header: one stream each, within a minute.
stream_tickets = Table(
    "stream_tickets",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256, hex
    Column("key_id", String(40), nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("credential", String(64)),  # the hash of the key's text that asked for it
)

sandboxes = Table(
    "sandboxes",
    metadata,
    _id(),
    _tenant(),
    Column("name", String(255)),
    Column("slug", String(255)),
    Column("state", String(24), nullable=False),  # provisioning running paused destroyed error
    Column("state_reason", Text),
    Column("template_id", String(255), nullable=False),
    Column("size", String(16)),
    Column("cpu_count", Integer, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("disk_size_mb", Integer, nullable=False),
    Column("timeout_sec", Integer),
    Column("idle_timeout_sec", Integer),
    Column("persistent", Boolean, nullable=False, default=True),
    Column("always_on", Boolean, nullable=False, default=False),
    Column("env", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("workspace_id", String(255)),
    Column("owner_user_id", String(255)),  # whom secrets of the scope `user` belong to
    Column("external_workspace_id", String(255)),
    Column("external_user_id", String(255)),
    Column("external_project_id", String(255)),
    Column("authority_pem", Text),  # certificate of its interception authority; the key is in secret_versions
    Column("revision", BigInteger, nullable=False, default=0),  # of its snapshot, raised in the transaction that changes it
    Column("started_at", Time),
    Column("ready_at", Time),
    Column("destroyed_at", Time),
    *_times(),
    Index("ix_sandboxes_tenant_name", "tenant_id", "name"),
)

secrets = Table(
    "secrets",
    metadata,
    _id(),
    _tenant(),
    Column("name", String(255), nullable=False),
    Column("type", String(64), nullable=False),  # api_key oauth_connect oauth_machine, or the caller's word
    Column("scope", String(24), nullable=False),  # tenant workspace user external_user external_workspace
    Column("status", String(24), nullable=False),  # ready pending needs_reauth failed expired
    Column("provider", String(64)),
    Column("preview", String(32)),
    Column("expose_as_env", String(255)),
    Column("allowed_hosts", JSON, nullable=False),  # as given; the bound hosts are computed from it and the catalogue
    Column("bound_hosts", JSON, nullable=False),  # computed at set and rotate
    Column("workspace_id", String(255)),
    Column("owner_user_id", String(255)),
    Column("external_user_id", String(255)),
    Column("external_workspace_id", String(255)),
    Column("resource_id", String(40)),
    Column("resource_type", String(24)),
    Column("metadata", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("expires_at", Time),
    Column("last_used_at", Time),
    Column("deleted_at", Time),
    *_times(),
    Index("ix_secrets_tenant_name", "tenant_id", "name"),
)

# One envelope per (secret, purpose, version). `owner_id` is a secret, or a sandbox for `authority_key`.
secret_versions = Table(
    "secret_versions",
    metadata,
    Column("owner_id", String(40), primary_key=True),
    Column("purpose", String(24), primary_key=True),  # value refresh_token client_secret authority_key pkce_verifier
    Column("version", Integer, primary_key=True),
    Column("tenant_id", String(40), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
)

bindings = Table(
    "bindings",
    metadata,
    _id(),
    _tenant(),
    Column("secret_id", String(40), ForeignKey("secrets.id"), nullable=False, index=True),
    Column("resource_id", String(40), nullable=False, index=True),
    Column("resource_type", String(24), nullable=False),
    Column("expose_as_env", String(255), nullable=False),
    Column("placeholder", String(255), nullable=False, unique=True),
    Column("inherited", Boolean, nullable=False, default=False),  # made for a secret of a wider scope, not asked for by name
    Column("created_at", Time, nullable=False),
    UniqueConstraint("resource_id", "expose_as_env", "secret_id"),
)

policies = Table(
    "policies",
    metadata,
    _id(),
    _tenant(),
    Column("name", String(255), nullable=False),
    Column("mode", String(16), nullable=False),  # audit_only enforce
    Column("default_effect", String(8), nullable=False),  # allow deny
    Column("resource_id", String(40), index=True),  # null: the tenant's default
    Column("resource_type", String(24)),
    Column("description", Text),
    Column("locked_at", Time),  # when enforce began; pending() counts from here
    *_times(),
)

rules = Table(
    "rules",
    metadata,
    _id(),
    _tenant(),
    Column("policy_id", String(40), ForeignKey("policies.id"), nullable=False, index=True),
    Column("host", String(255), nullable=False),  # canonical: lower case, A-label, no trailing dot; or a CIDR
    Column("port", Integer),
    Column("effect", String(8), nullable=False),
    Column("methods", JSON),
    Column("path_glob", String(1024)),
    Column("note", Text),
    Column("resource_id", String(40), index=True),
    Column("resource_type", String(24)),
    Column("created_at", Time, nullable=False),
)

# One row an event; `number` orders them as they arrived and is the cursor of lists and tails.
events = Table(
    "events",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    _tenant(),
    Column("resource_id", String(40), nullable=False),
    Column("resource_type", String(24), nullable=False),
    Column("action", String(16), nullable=False),
    Column("effect", String(8), nullable=False),
    Column("host", String(255), nullable=False),
    Column("port", Integer),
    Column("protocol", String(16)),
    Column("method", String(32)),
    Column("path", Text),
    Column("status_code", Integer, nullable=False),
    Column("secrets", JSON, nullable=False),  # [{secret, name, version, binding, place}]
    Column("reason", String(64)),
    Column("rule_id", String(40)),
    Column("policy_mode", String(16)),
    Column("revision", BigInteger),
    Column("count", Integer, nullable=False, default=1),
    Column("bytes_in", BigInteger),
    Column("bytes_out", BigInteger),
    Column("duration_us", BigInteger),
    Column("ended_as", String(24)),  # null while it runs
    Column("external_user_id", String(255)),
    Column("external_workspace_id", String(255)),
    Column("detail", JSON, nullable=False),  # stage, upstream_address, message
    Column("timestamp", Time, nullable=False),
    Index("ix_events_tenant_number", "tenant_id", "number"),
    Index("ix_events_resource_number", "resource_id", "number"),
)

# Every record as egressd sent it; the primary key makes an at-least-once shipping exactly-once.
event_records = Table(
    "event_records",
    metadata,
    Column("gateway", String(40), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String(40), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", Time, nullable=False),
)

# Administrative acts (who made, changed, refused what), apart from egress.
admin_log = Table(
    "admin_log",
    metadata,
    _id(),
    Column("tenant_id", String(40), nullable=False, index=True),
    Column("actor_id", String(40)),
    Column("actor_type", String(24), nullable=False),
    Column("action", String(64), nullable=False),  # source:subject:verb, as in contracts/events.json
    Column("outcome", String(16), nullable=False),  # allowed refused failed
    Column("resource_type", String(24)),
    Column("resource_id", String(255)),
    Column("metadata", JSON, nullable=False),
    Column("ip_address", String(64)),
    Column("request_id", String(64)),
    Column("created_at", Time, nullable=False),
)

oauth_flows = Table(
    "oauth_flows",
    metadata,
    Column("state_hash", String(64), primary_key=True),  # SHA-256 of the state, hex
    _tenant(),
    Column("provider", String(64), nullable=False),
    Column("secret_id", String(40), ForeignKey("secrets.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # code device
    Column("status", String(16), nullable=False),  # pending completed failed denied expired
    Column("error", String(64)),
    Column("message", Text),
    Column("redirect_uri", Text, nullable=False),
    Column("request", JSON, nullable=False),  # what start was asked for, no values
    Column("started_by", String(40)),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
    Column("used_at", Time),
)

# The account behind an OAuth secret.
connections = Table(
    "connections",
    metadata,
    Column("secret_id", String(40), ForeignKey("secrets.id"), primary_key=True),
    _tenant(),
    Column("provider", String(64), nullable=False),
    Column("account", String(255)),
    Column("scopes", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # ready needs_reauth no_refresh
    Column("settings", JSON, nullable=False),  # token_url and client_id of a machine connection; no values
    Column("expires_at", Time),
    Column("refresh_after", Time),
    Column("refreshing_until", Time),  # the row lock of single-flight across processes
    Column("failures", Integer, nullable=False, default=0),
    Column("last_error", Text),
    *_times(),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant_id", String(40), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status", Integer),  # null while the first request runs
    Column("body", LargeBinary),
    Column("created_at", Time, nullable=False),
)

sandbox_snapshots = Table(
    "sandbox_snapshots",
    metadata,
    _id(),
    _tenant(),
    Column("sandbox_id", String(40), nullable=False, index=True),
    Column("comment", Text),
    Column("state", String(16), nullable=False),
    Column("size_bytes", BigInteger),
    Column("keep", Boolean, nullable=False, server_default=text("false")),  # whatever its sandbox's retention says
    Column("expires_at", Time),
    Column("created_at", Time, nullable=False),
)
