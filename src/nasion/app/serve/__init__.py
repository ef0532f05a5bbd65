"""``nasion serve``: landmarks over HTTP and on a page in the browser. Built with FastAPI.

Images come in the request's body; nothing is read or downloaded because a request names it. How
much may be requested at once is limited (``Limits``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import nasion
from nasion.discovery import FORMATS
from nasion.errors import requires_extra
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.scheme import Scheme
from nasion.prediction_formats.image import LABELS

with requires_extra("The server", "serve"):
    from fastapi import FastAPI, Query, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.openapi.docs import get_swagger_ui_html
    from fastapi.responses import FileResponse, JSONResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.exceptions import HTTPException

from nasion.app.serve import responses
from nasion.app.serve.admission import AdmissionControl, ChunkedResponses, Limits, Rejected
from nasion.app.serve.prometheus import ServerMetrics
from nasion.app.serve.uploads import REQUEST_BODY, BodyLimit, read_uploads
from nasion.app.serve.websocket import add_camera

_PAGE = Path(__file__).parent / "page"
_CSP = "Content-Security-Policy"
# The page loads nothing from elsewhere; its images may be its own canvases and the camera's.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
_DESCRIPTION = (
    "Facial landmarks. Images come in the request's body; nothing is read or downloaded "
    "because a request names it."
)
_FACE_PARTS = {
    "jaw": ("jaw", "chin", "cheek", "contour"),
    "brows": ("brow", "eyebrow"),
    "eyes": ("eye", "pupil"),
    "nose": ("nose", "nostril", "nasion"),
    "mouth": ("mouth", "lip", "lips"),
}
if TYPE_CHECKING:
    Format = str
    Labels = str
else:
    # Made from the formats that exist, so that a new format file is offered and documented.
    Format = Enum("Format", {name: name for name in FORMATS.names()}, type=str)
    Labels = Enum("Labels", {name: name for name in LABELS}, type=str)


def build_app(landmarker: Landmarker, limits: Limits) -> FastAPI:
    """The server's application; ``landmarker`` finds the faces."""
    app = FastAPI(
        title="nasion",
        version=nasion.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.openapi_version = "3.0.2"  # the newest that the page /docs shows
    admission, metrics = AdmissionControl(limits), ServerMetrics()
    # Each middleware that is added wraps those before it: chunked responses around measuring around
    # the limit of bodies.
    app.add_middleware(BodyLimit, max_bytes=limits.body_bytes)
    _add_measuring(app, metrics)
    app.add_middleware(ChunkedResponses, admission=admission)  # the last one is outermost
    _add_errors(app)
    _add_landmarks(app, landmarker, admission, metrics)
    _add_pages(app, landmarker)
    add_camera(app, landmarker, admission)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tells that the server is up."""
        return {"status": "ok", "version": nasion.__version__}

    @app.get("/metrics", response_class=Response)
    async def prometheus_metrics() -> Response:
        """Counts and times, as Prometheus reads them."""
        body, headers = metrics.to_text(admission.active, admission.held)
        return Response(body, headers=headers)

    return app


def _add_landmarks(
    app: FastAPI, landmarker: Landmarker, admission: AdmissionControl, metrics: ServerMetrics
) -> None:
    @app.post(
        "/v1/landmarks",
        openapi_extra={"requestBody": REQUEST_BODY},
        responses=responses.response_descriptions(),
        response_class=Response,
    )
    async def landmarks(
        request: Request,
        format: Annotated[
            Format, Query(description="Output format; several files come as a zip.")
        ] = "json",
        labels: Annotated[Labels, Query(description="Labels beside drawn points.")] = "none",
        detect: Annotated[
            bool, Query(description="False: every image is one face from edge to edge.")
        ] = True,
        min_score: Annotated[
            float | None, Query(ge=0, le=1, description="Minimum face score.")
        ] = None,
        any_rotation: Annotated[
            bool, Query(description="Also find faces on their side or upside down; 4x time.")
        ] = False,
    ) -> Response:
        """The points of all faces in one or more images.

        Send an image as the body, or a form with any number of files.
        """
        limits, name = admission.limits, getattr(format, "value", format)
        with admission.admit(request) as reservation:
            uploads = await read_uploads(request, limits)
            # Without a declared length the largest body was reserved.
            reservation.shrink_to(sum(len(upload.data) for upload in uploads))
            own = landmarker.with_settings(
                detect=detect,
                min_score=min_score,
                any_rotation=any_rotation,
                max_faces=limits.faces,
            )
            drawn = getattr(labels, "value", labels)
            done = await admission.run(responses.process, uploads, own, limits.pixels, name, drawn)
            metrics.count_images(done)
            return responses.respond(done, name)


def _add_errors(app: FastAPI) -> None:
    """All errors as JSON with ``error``."""

    @app.exception_handler(Rejected)
    async def rejected(_: Request, error: Rejected) -> JSONResponse:
        headers = {"Retry-After": "1"} if error.status == 503 else None
        return JSONResponse({"error": str(error)}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = []
        for each in error.errors():
            problems.append(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}")
        return JSONResponse({"error": "; ".join(problems)}, 422)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _add_measuring(app: FastAPI, metrics: ServerMetrics) -> None:
    @app.middleware("http")
    async def measure(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started = perf_counter()
        response = await call_next(request)
        # The route, not the address: strangers must not fill the metrics with names of their own.
        path = getattr(request.scope.get("route"), "path", "elsewhere")
        metrics.count_request(path, response.status_code, perf_counter() - started)
        response.headers.setdefault(_CSP, _POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _add_pages(app: FastAPI, landmarker: Landmarker) -> None:
    scheme = landmarker.predictor.spec.scheme
    network = {
        "version": nasion.__version__,
        "scheme": scheme.name,
        "point_names": scheme.points,
        "edges": scheme.edge_index.tolist(),
        "parts": _face_parts(scheme),
    }

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html")

    # Not async: FastAPI runs it in a thread, since drawing takes a while the first time.
    @app.get("/sample.jpg", include_in_schema=False)
    def sample() -> Response:
        return Response(responses.sample_image(), media_type="image/jpeg")

    @app.get("/v1/network")
    async def describe_network() -> dict[str, Any]:
        """The points' names, the edges between them, and each point's part of the face."""
        return network

    app.mount("/page", StaticFiles(directory=_PAGE))
    from swagger_ui_bundle import swagger_ui_path

    app.mount("/swagger", StaticFiles(directory=swagger_ui_path))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        swagger = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="nasion",
            swagger_js_url="/swagger/swagger-ui-bundle.js",
            swagger_css_url="/swagger/swagger-ui.css",
            swagger_favicon_url="/swagger/favicon-32x32.png",
        )
        # Its script is inline.
        policy = {_CSP: f"{_POLICY}; script-src 'self' 'unsafe-inline'"}
        return Response(swagger.body, media_type="text/html", headers=policy)


def _face_parts(scheme: Scheme) -> list[str]:
    """The part of the face that each point belongs to, by its name."""
    found = []
    for point in scheme.points:
        words = set(point.split("_"))
        parts = (part for part, names in _FACE_PARTS.items() if words & set(names))
        found.append(next(parts, "other"))
    return found


__all__ = ["Limits", "build_app"]
