"""Counts and times of the server, for Prometheus."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from nasion.app.serve.admission import App, Message, Receive, Send
from nasion.app.serve.responses import Processed


class ServerMetrics:
    """The server's metrics, in a registry of their own: two servers in a process do not add up."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "nasion_requests", "Requests answered.", ("path", "status"), registry=registry
        )
        self._seconds = Histogram(
            "nasion_request_seconds", "Seconds per request.", ("path",), registry=registry
        )
        self._images = Counter("nasion_images", "Images processed.", ("result",), registry=registry)
        self._faces = Counter("nasion_faces", "Faces found.", registry=registry)
        self._active = Gauge(
            "nasion_requests_in_progress", "Requests being processed.", registry=registry
        )
        self._held = Gauge(
            "nasion_bytes_held", "Bytes of requests and untaken responses.", registry=registry
        )

    def count_request(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_images(self, done: Processed) -> None:
        self._images.labels("read").inc(len(done.results))
        self._images.labels("unreadable").inc(len(done.unreadable))
        self._faces.inc(done.faces)

    def to_text(self, active: int, held: int) -> tuple[bytes, dict[str, str]]:
        """(body, headers) of what Prometheus reads."""
        self._active.set(active)
        self._held.set(held)
        return generate_latest(self._registry), {"Content-Type": CONTENT_TYPE_LATEST}


class Measuring:
    """Counts requests by their route, status and time."""

    def __init__(self, app: App, metrics: ServerMetrics) -> None:
        self.app: App = app
        self.metrics: ServerMetrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        started = perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route, not the address: strangers must not fill the metrics with names.
                path = getattr(scope.get("route"), "path", "elsewhere")
                self.metrics.count_request(path, message["status"], perf_counter() - started)
            await send(message)

        await self.app(scope, receive, measured)
