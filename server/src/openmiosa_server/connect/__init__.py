"""Connected accounts by OAuth: flows, providers as data, tokens kept fresh."""

from . import page
from .http import Transport
from .protocol import Protocol
from .providers import Provider, Providers
from .scheduler import Scheduler
from .service import Connect
from .types import Finished, MachineConnection, StartConnection, Started

__all__ = [
    "Connect",
    "Finished",
    "MachineConnection",
    "Protocol",
    "Provider",
    "Providers",
    "Scheduler",
    "StartConnection",
    "Started",
    "Transport",
    "page",
]
