"""Alembic's entry: runs the scripts on the connection that `db.migrate` hands over."""

from alembic import context
from openmiosa_server.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transaction_per_migration=False,
)
context.run_migrations()
