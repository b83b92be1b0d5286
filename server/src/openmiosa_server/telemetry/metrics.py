"""Prometheus: requests by route template and status, how long they took, and how many run."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The registry of one server, and the middleware that feeds it."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("openmiosa_http_requests", "Requests answered.", labels, registry=self.registry)
        self._seconds = Histogram(
            "openmiosa_http_request_seconds", "Time to the response head.", ("method", "route"), buckets=_BUCKETS, registry=self.registry
        )
        self._running = Gauge("openmiosa_http_requests_running", "Requests that run, streams included.", registry=self.registry)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    def middleware(self, app: Any) -> Any:
        """Wrap an ASGI application."""

        async def measured(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began = time.monotonic()

            async def watch(message: Any) -> None:
                if message["type"] == "http.response.start":
                    # The template and never the path: names of sandboxes are no label values.
                    route = getattr(scope.get("route"), "path", "unmatched")
                    self._requests.labels(scope["method"], route, str(message["status"])).inc()
                    self._seconds.labels(scope["method"], route).observe(time.monotonic() - began)
                await send(message)

            with self._running.track_inprogress():
                await app(scope, receive, watch)

        return measured
