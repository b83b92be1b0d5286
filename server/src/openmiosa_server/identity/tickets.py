"""Stream tickets: what a browser's EventSource, which can send no header, shows instead of a key.

A ticket stands in a URL, and URLs end up in logs; so it is good for one stream, for a minute.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from ..db.clock import now
from ..db.tables import api_keys, stream_tickets
from .types import Principal

LIFETIME = 60  # seconds
_PREFIX = "tkt_"


async def issue(tx: AsyncConnection, holder: Principal) -> str:
    """A new ticket for the holder of a key; those whose time is over are forgotten on the way.

    It is worth what the text is that asked for it, so that it does not outlive a rotation.
    """
    ticket, moment = _PREFIX + secrets.token_urlsafe(24), now()
    await tx.execute(delete(stream_tickets).where(stream_tickets.c.expires_at <= moment))
    ends = moment + timedelta(seconds=LIFETIME)
    row = {"hash": _digest(ticket), "key_id": holder.key_id, "credential": holder.credential, "expires_at": ends}
    await tx.execute(insert(stream_tickets).values(**row))
    return ticket


async def redeem(tx: AsyncConnection, ticket: str) -> tuple[RowMapping, str] | None:
    """The key that the ticket was made with, and the hash of its text then. Deleting decides between two who come at once."""
    mine = (stream_tickets.c.hash == _digest(ticket), stream_tickets.c.expires_at > now())
    made = (await tx.execute(select(stream_tickets).where(*mine))).mappings().one_or_none()
    used = await tx.execute(delete(stream_tickets).where(*mine))
    if made is None or made["credential"] is None or used.rowcount != 1:
        return None
    key = (await tx.execute(select(api_keys).where(api_keys.c.id == made["key_id"]))).mappings().one_or_none()
    return None if key is None else (key, made["credential"])


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
