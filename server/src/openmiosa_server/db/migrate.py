"""Alembic, run inside the server's own transaction, forwards only."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ..errors import Unavailable

_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Upgrade to the newest schema this server knows; a schema from a newer server is refused untouched."""
    if connection.dialect.name == "postgresql":
        # Servers that start together take turns; the number only has to be ours (from "openmiosa").
        connection.execute(text("SELECT pg_advisory_xact_lock(7305523)"))
    config = config_for(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if present - known:
        raise Unavailable(
            f"the database was written by a newer server (schema {', '.join(sorted(present - known))}); "
            "start that version again, or restore the backup made before the upgrade",
            code="SCHEMA_NEWER",
        )
    command.upgrade(config, "head")


def config_for(connection: Connection) -> Config:
    """Alembic's configuration, bound to a connection."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
