"""Counts and times of the server, for Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from nasion.serve.answers import Answer


class Measures:
    def __init__(self) -> None:
        # One of its own, so that two servers in one process do not add up.
        self._all = CollectorRegistry()
        self._requests = Counter("nasion_requests", "Requests answered.", ("path", "status"), registry=self._all)
        self._seconds = Histogram("nasion_request_seconds", "Seconds from request to answer.", ("path",), registry=self._all)
        self._pictures = Counter("nasion_pictures", "Pictures looked at.", ("result",), registry=self._all)
        self._faces = Counter("nasion_faces", "Faces found.", registry=self._all)
        self._waiting = Gauge("nasion_requests_in_progress", "Requests that are not answered yet.", registry=self._all)

        self._held = Gauge("nasion_bytes_held", "Bytes of requests and of answers that are not taken yet.", registry=self._all)

    def answered(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def looked_at(self, answer: Answer) -> None:
        self._pictures.labels("read").inc(answer.pictures)
        self._pictures.labels("unreadable").inc(answer.refused)
        self._faces.inc(answer.faces)

    def text(self, waiting: int, held: int) -> tuple[bytes, int, dict[str, str]]:
        """What Prometheus reads: the body, the status, the headers."""
        self._waiting.set(waiting)
        self._held.set(held)
        return generate_latest(self._all), 200, {"Content-Type": CONTENT_TYPE_LATEST}
