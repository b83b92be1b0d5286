# Generated from _async/connection.py by tools/async_to_sync.py. Edit that file, then run that program.
"""An account that is being connected: what a person must do, and waiting until it is done."""

import time

from .. import _envelope, _wire
from ..errors import ConnectionFailedError, WaitTimeoutError
from ..models import ConnectionInfo, ConnectionStatus, Secret
from .transport import Transport


class Connection:
    """A consent that has been asked for. Open `authorize_url`, or with the device flow enter `user_code` at `verification_uri`."""

    def __init__(self, transport: Transport, info: ConnectionInfo) -> None:
        self._transport = transport
        self.info = info

    @property
    def provider(self) -> str | None:
        """Whose account it is."""
        return self.info.provider

    @property
    def authorize_url(self) -> str | None:
        """Where a person gives consent in a browser; None with the device flow."""
        return self.info.authorize_url

    @property
    def state(self) -> str:
        """What this consent is known by; as private as a password while it is open."""
        return self.info.state

    @property
    def verification_uri(self) -> str | None:
        """Device flow: where the code is entered."""
        return self.info.verification_uri

    @property
    def user_code(self) -> str | None:
        """Device flow: the code to enter."""
        return self.info.user_code

    def status(self) -> ConnectionStatus:
        """How far it is."""
        reply = self._transport.request("GET", "egress/oauth/status", params={"state": self.state})
        return ConnectionStatus.from_json(_envelope.one(reply))

    def wait_for_completion(self, timeout: float = 300.0, *, poll_interval: float | None = None) -> Secret:  # noqa: ASYNC109
        """Return the account's secret once consent was given; raises ConnectionFailedError when it was refused."""
        deadline = time.monotonic() + timeout
        pause = poll_interval if poll_interval is not None else min(self.info.interval or 1.0, 2.0)
        while True:
            status = self.status()
            if status.failed:
                reason = status.message or status.error or status.status
                raise ConnectionFailedError(f"{self.provider} was not connected: {reason}", provider=self.provider, reason=status.error)
            if status.done and status.secret_id:
                reply = self._transport.request("GET", _wire.path("egress", "secrets", status.secret_id))
                return Secret.from_json(_envelope.one(reply, "secret"))
            if time.monotonic() + pause > deadline:
                raise WaitTimeoutError(f"no consent for {self.provider} within {timeout:g} s; waiting again is fine while the link holds")
            time.sleep(pause)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(provider={self.provider!r}, flow={self.info.flow!r})"
