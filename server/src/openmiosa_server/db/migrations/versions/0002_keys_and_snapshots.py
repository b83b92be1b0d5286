"""Rotation, families and tokens of API keys; presets; stream tickets; how long snapshots stay."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forwards; there is no way back but a backup."""
    for column in (
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.String(length=16), server_default="key", nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("ip_allowlist", sa.JSON(), nullable=True),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("api_keys", column)
    op.create_index(op.f("ix_api_keys_previous_hash"), "api_keys", ["previous_hash"], unique=False)
    op.create_index(op.f("ix_api_keys_parent_id"), "api_keys", ["parent_id"], unique=False)
    op.create_table(
        "key_presets",
        sa.Column("tenant_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_key_presets_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_key_presets")),
    )
    op.create_table(
        "stream_tickets",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_stream_tickets")),
    )
    op.add_column("sandbox_snapshots", sa.Column("keep", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("sandbox_snapshots", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
