"""The labelling page's server: all that the page asks for and sends."""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from nasion.errors import DataError, NasionError, reason_of, requires_extra

with requires_extra("The labelling page", "serve"):
    from fastapi import FastAPI, Query, Request, Response
    from fastapi.responses import FileResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.exceptions import HTTPException

from nasion.app.label import pictures, views
from nasion.app.label.bodies import (
    MOST_REPEATS,
    BoxBody,
    GestureBody,
    ImageBody,
    NothingBody,
    RefitBody,
    StepBody,
)
from nasion.app.label.learning import CannotLearn, Learning
from nasion.app.label.ordering import Ordering
from nasion.app.label.same_origin import SameOrigin
from nasion.app.label.store import LabelStore, ReadOnly, UnknownFace
from nasion.app.label.suggestions import Suggestions
from nasion.app.serve.access import Access, AllowedHosts
from nasion.app.serve.admission import AdmissionControl, Limits
from nasion.app.serve.bodies import BodyLimit
from nasion.app.serve.errors import add_error_handlers
from nasion.app.serve.pages import SecurityHeaders
from nasion.data.corrections.gestures import Gesture
from nasion.data.corrections.writer import ListChanged, StaleRevision
from nasion.labelling.refit import refit
from nasion.landmarks.faces import Image
from nasion.media.files import DISK_ERRORS
from nasion.media.quoted import quoted

PAGE: Path = Path(__file__).parent / "page"
LIMITS = Limits(body_bytes=4 << 20, seconds=5.0)
_AHEAD = 8  # faces whose proposals are computed next


@dataclass
class LabelServer:
    """``default_order``: what the page begins with; None: what suits the data."""

    store: LabelStore
    suggestions: Suggestions
    ordering: Ordering
    learning: Learning
    model: str
    list_path: Path
    default_order: str | None = None
    _queue: list[str] = field(default_factory=list, repr=False)

    def session(self) -> dict[str, Any]:
        view = views.session_view(
            self.store, self.suggestions, self.ordering, self.model, str(self.list_path)
        )
        return view | ({"order": self.default_order} if self.default_order else {})

    def queue(self, order: str | None) -> dict[str, Any]:
        found = self.ordering.queue(order or self.default_order or self.ordering.default)
        self._queue = [row["face"] for row in found["faces"]]
        return found

    def face(self, face: str, repeat: int) -> dict[str, Any]:
        """A face, and its proposal and those of the next ones before others."""
        try:
            at = self._queue.index(face)
        except ValueError:
            following: list[str] = []
        else:
            following = self._queue[at + 1 : at + 1 + _AHEAD]
        self.suggestions.show_first([face, *following])
        return self.view(face, repeat)

    def view(self, face: str, repeat: int) -> dict[str, Any]:
        return views.face_view(self.store, self.suggestions, self.ordering, face, repeat)

    def record(self, gesture: Gesture) -> dict[str, Any]:
        recorded = self.store.record(gesture)
        self.suggestions.look_again()
        state = self.store.state.of(recorded.face, recorded.repeat)
        return {
            "revision": recorded.revision,
            "saved": views.local_time(recorded.time),
            "can_undo": bool(state.undoable),
            "can_redo": bool(state.redoable),
        }

    def step(self, body: StepBody, *, forward: bool) -> dict[str, Any]:
        done = self.store.step(body.face, body.repeat, body.revision, forward=forward)
        if done is None:
            what = "done again" if forward else "undone"
            raise HTTPException(400, f"Nothing on this face can be {what}.")
        self.suggestions.look_again()
        return self.view(body.face, body.repeat)

    def refit(self, body: RefitBody) -> dict[str, Any]:
        scheme = self.store.data.scheme
        if len(body.base) != len(scheme):
            raise DataError(f"base has {len(body.base)} points; {len(scheme)} expected.")
        base, placed = (np.full((len(scheme), 2), np.nan) for _ in range(2))
        for k, place in enumerate(body.base):
            if place is not None:
                base[k] = place
        for name, place in body.placed.items():
            placed[scheme.index([name])[0]] = place
        proposal = self.suggestions.proposal(body.face)
        found = refit(base, placed, None if proposal is None else proposal.error)
        return {"points": views.places(found, 2)}

    def image(self, name: str) -> Image:
        """Raises ``UnknownFace`` for an image that is not among the data."""
        found = self.store.data.images.get(name)
        if found is None:
            raise UnknownFace(f"There is no image {quoted(name)} in {self.store.data.root}.")
        return found

    def close(self) -> None:
        """End the threads and processes."""
        self.suggestions.stop()
        self.learning.close()


class _Json(Response):
    """Names of files may have bytes that are not UTF-8, which only escapes hold."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def build_app(server: LabelServer, access: Access | None = None) -> FastAPI:
    """The application. ``server.suggestions`` are to be started and closed by the caller."""
    app = FastAPI(title="nasion label", docs_url=None, redoc_url=None, openapi_url=None)
    # Each that is added wraps those before it: the last one is met first by a request.
    app.add_middleware(SameOrigin)
    app.add_middleware(AllowedHosts, access=access or Access())
    app.add_middleware(SecurityHeaders)
    app.add_middleware(BodyLimit, admission=AdmissionControl(LIMITS))
    add_error_handlers(app)
    _add_errors(app, server)
    _add_views(app, server)
    _add_changes(app, server)
    _add_learning(app, server)
    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False))

    @app.get("/")
    async def page() -> FileResponse:
        # The page of another version must not be shown from the browser's store.
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    return app


def _add_errors(app: FastAPI, server: LabelServer) -> None:
    @app.exception_handler(StaleRevision)
    def stale(_: Request, error: StaleRevision) -> Response:
        gesture = error.gesture
        current = server.view(gesture.face, gesture.repeat)
        message = str(error)
        if gesture.revision == current["revision"] + 1:
            message = (
                f"Face {quoted(gesture.face)} has other values than the change was made on; look "
                "at both and decide."
            )
        return _Json({"error": message, "current": current}, 409)

    @app.exception_handler(OSError)
    def unwritable(_: Request, error: OSError) -> Response:
        place = f"{error.filename}: " if error.filename else ""
        full = error.errno in DISK_ERRORS and error.errno != errno.EROFS
        remedy = "Make room on the disk." if full else "Give the rights to write there."
        reason = f"{place}{error.strerror or error}. The change is not saved. {remedy}"
        return _Json({"error": reason}, 507 if full else 503)

    @app.exception_handler(Exception)
    def failed(_: Request, error: Exception) -> Response:
        # The traceback goes to the terminal.
        return _Json({"error": f"The server failed ({type(error).__name__}: {error})."}, 500)

    @app.exception_handler(NasionError)
    def refused(_: Request, error: NasionError) -> Response:
        status = 503 if isinstance(error, (ReadOnly, ListChanged)) else 400
        status = 404 if isinstance(error, UnknownFace) else status
        if isinstance(error, CannotLearn) and error.running:
            status = 409
        return _Json({"error": str(error)}, status)


def _add_views(app: FastAPI, server: LabelServer) -> None:
    """What is looked at. Functions that are not async run in threads."""

    @app.get("/api/session")
    def session() -> Response:
        return _Json(server.session())

    @app.get("/api/queue")
    def queue(order: str | None = None) -> Response:
        return _Json(server.queue(order))

    @app.get("/api/face")
    def face(face: str, repeat: Annotated[int, Query(ge=0, le=MOST_REPEATS)] = 0) -> Response:
        return _Json(server.face(face, repeat))

    @app.get("/api/image")
    def image(request: Request, image: str) -> Response:
        found = server.image(image)
        try:
            headers = {"ETag": pictures.etag(found), "Cache-Control": "private, no-cache"}
        except OSError as error:
            raise HTTPException(404, f"{image}: {reason_of(error)}.") from error
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        contents, media_type = pictures.for_browser(found)
        return Response(contents, media_type=media_type, headers=headers)

    @app.get("/api/reference")
    def reference() -> Response:
        found = views.reference_view(server.store)
        if found is None:
            raise HTTPException(404, "No face is labelled yet.")
        return _Json(found)

    @app.get("/api/progress")
    def progress() -> Response:
        return _Json(views.progress_view(server.store, server.ordering))


def _add_changes(app: FastAPI, server: LabelServer) -> None:
    """Gestures, and what the page asks about them."""

    @app.post("/api/gesture")
    def gesture(body: GestureBody) -> Response:
        return _Json(server.record(body.gesture()))

    @app.post("/api/undo")
    def undo(body: StepBody) -> Response:
        return _Json(server.step(body, forward=False))

    @app.post("/api/redo")
    def redo(body: StepBody) -> Response:
        return _Json(server.step(body, forward=True))

    @app.post("/api/refit")
    def refit_points(body: RefitBody) -> Response:
        return _Json(server.refit(body))

    @app.post("/api/detect")
    def detect(body: ImageBody) -> Response:
        server.image(body.image)
        boxes, scores = server.suggestions.detect(body.image)
        found = zip(boxes.tolist(), scores.tolist(), strict=True)
        return _Json({"boxes": [{"box": box, "score": score} for box, score in found]})

    @app.post("/api/propose")
    def propose(body: BoxBody) -> Response:
        server.image(body.image)
        found = server.suggestions.propose(body.image, body.box)
        return _Json(views.proposal_view(found, server.suggestions))


def _add_learning(app: FastAPI, server: LabelServer) -> None:
    @app.get("/api/learn")
    def state() -> Response:
        return _Json(server.learning.to_json())

    @app.post("/api/learn")
    def begin(body: NothingBody) -> Response:
        server.learning.begin()
        return _Json(server.learning.to_json())

    @app.post("/api/learn/stop")
    def stop(body: NothingBody) -> Response:
        server.learning.stop()
        return _Json(server.learning.to_json())
