"""Principals, API keys, and `authorize`, which decides and records in one call."""

from .service import Identity
from .types import SCOPES, AdminEntry, AdminFilter, ApiKey, NewKey, Principal, RequestInfo

__all__ = ["SCOPES", "AdminEntry", "AdminFilter", "ApiKey", "Identity", "NewKey", "Principal", "RequestInfo"]
