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

LIFETIME = 60  # seconds
_PREFIX = "tkt_"


async def issue(tx: AsyncConnection, key_id: str) -> str:
    """A new ticket for the holder of a key; those whose time is over are forgotten on the way."""
    ticket, moment = _PREFIX + secrets.token_urlsafe(24), now()
    await tx.execute(delete(stream_tickets).where(stream_tickets.c.expires_at <= moment))
    row = {"hash": _digest(ticket), "key_id": key_id, "expires_at": moment + timedelta(seconds=LIFETIME)}
    await tx.execute(insert(stream_tickets).values(**row))
    return ticket


async def redeem(tx: AsyncConnection, ticket: str) -> RowMapping | None:
    """The key that the ticket was made with. Deleting decides between two who come at once."""
    mine = (stream_tickets.c.hash == _digest(ticket), stream_tickets.c.expires_at > now())
    key_id = (await tx.execute(select(stream_tickets.c.key_id).where(*mine))).scalar_one_or_none()
    used = await tx.execute(delete(stream_tickets).where(*mine))
    if key_id is None or used.rowcount != 1:
        return None
    return (await tx.execute(select(api_keys).where(api_keys.c.id == key_id))).mappings().one_or_none()


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
