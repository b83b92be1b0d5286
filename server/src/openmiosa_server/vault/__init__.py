"""Secrets at rest: envelopes, key-encryption keys, and the service that never gives a value back."""

from .envelopes import Envelopes
from .service import Vault
from .types import BoundSecret, RotateSecret, Secret, SecretFilter, SetSecret
from .value import SecretValue

__all__ = ["BoundSecret", "Envelopes", "RotateSecret", "Secret", "SecretFilter", "SecretValue", "SetSecret", "Vault"]
