"""Structured logs: one JSON object a line on standard error, with request ids, and without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_HIDDEN_KEYS = re.compile(r"(?i)(authorization|cookie|password|secret_value|client_secret|api_key|token|verifier)$")
_HIDDEN_TEXT = re.compile(
    r"msk_[a-z]+_[A-Za-z0-9]+"  # our API keys
    r"|miosa-tok-[0-9a-f]{32}"  # placeholders say nothing, but nobody should learn to grep for them
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|ghp|gho|ghu|ghs|ghr|glpat|xox[abprs])[-_][A-Za-z0-9_-]{8,}"
    r"|(?<=[?&])(?:code|state|access_token|refresh_token|client_secret|token)=[^&\s\"]+"
)


def configure(level: str, form: str) -> None:
    """Send structlog and the standard library's logging through one chain."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    console = [plain, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    chain: list[Any] = [structlog.processors.JSONRenderer()] if form == "json" else console
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[remove, *chain], foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx2", "httpcore2", "asyncio", "uvicorn.error", "sqlalchemy.engine", "alembic"):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))


def redact(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of every value, by the name of its key and by its looks."""
    return {key: "(hidden)" if _HIDDEN_KEYS.search(str(key)) else _clean(value) for key, value in event.items()}


def plain(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For people's eyes: a path that somebody asked for neither begins a line of its own nor steers the terminal."""
    return {key: value if key == "exception" else _escaped(value) for key, value in event.items()}


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _HIDDEN_TEXT.sub("(hidden)", value)
    if isinstance(value, dict):
        return {key: "(hidden)" if _HIDDEN_KEYS.search(str(key)) else _clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part) for part in value]
    if isinstance(value, int | float | bool | None):
        return value
    return _HIDDEN_TEXT.sub("(hidden)", str(value))
