"""The one door to the data plane: publish snapshots and leases, take hello, events and refresh."""

from .client import EgressClient
from .publish import Publisher
from .server import LinkServer

__all__ = ["EgressClient", "LinkServer", "Publisher"]
