"""Idempotency-Key: a repeated mutation gets the first answer again, for 24 hours, and happens once."""

from .service import Begun, Replay

__all__ = ["Begun", "Replay"]
