"""Principals, API keys, and `authorize`, which decides and records in one call."""

from .presets import Presets
from .service import Identity
from .types import SCOPES, AdminEntry, AdminFilter, ApiKey, KeyChange, KeyDetails, NewKey, Preset, Principal, RequestInfo

__all__ = [
    "SCOPES",
    "AdminEntry",
    "AdminFilter",
    "ApiKey",
    "Identity",
    "KeyChange",
    "KeyDetails",
    "NewKey",
    "Preset",
    "Presets",
    "Principal",
    "RequestInfo",
]
