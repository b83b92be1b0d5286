"""A stream ticket knows which text of its key asked for it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; there is no way back but a backup. Tickets of before open nothing; they would have ended within a minute."""
    op.add_column("stream_tickets", sa.Column("credential", sa.String(length=64), nullable=True))
