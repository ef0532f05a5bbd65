"""``nasion serve``: the points of faces as an HTTP interface and as a page in the browser. Built with FastAPI.

Nothing is read or fetched because a request says so: pictures come in its body. What may be asked for at once is limited (``Limits``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal

import nasion
from nasion.errors import needing
from nasion.landmarker import Landmarker
from nasion.scheme import Scheme

with needing("The server", "serve"):
    from fastapi import FastAPI, Query, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.openapi.docs import get_swagger_ui_html
    from fastapi.responses import FileResponse, JSONResponse
    from fastapi.staticfiles import StaticFiles
    from starlette.exceptions import HTTPException

from nasion.serve import answers
from nasion.serve.body import SENT, BodyLimit, pictures_in
from nasion.serve.desk import Desk, Limits, Refusal, Sending
from nasion.serve.live import add_live
from nasion.serve.measures import Measures

_PAGE = Path(__file__).parent / "page"
# The page loads nothing from elsewhere; its pictures may be its own canvases and the camera's.
_POLICY = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
_ABOUT = "Points of faces: pictures come in a request's body, and nothing is read or fetched because a request says so."
_RULES = "Content-Security-Policy"
_PARTS = {
    "jaw": ("jaw", "chin", "cheek", "contour"), "brows": ("brow", "eyebrow"), "eyes": ("eye", "pupil"), "nose": ("nose", "nostril", "nasion"),
    "mouth": ("mouth", "lip", "lips"),
}  # fmt: skip
Format = Literal["json", "jsonl", "csv", "coco", "pts", "picture"]
Labels = Literal["none", "numbers", "names"]


def build(landmarker: Landmarker, limits: Limits) -> FastAPI:
    """The server's application; ``landmarker`` finds the faces, of which ``limits.faces`` in each picture at most."""
    app = FastAPI(title="nasion", version=nasion.__version__, description=_ABOUT, docs_url=None, redoc_url=None)
    app.openapi_version = "3.0.2"  # the newest that the page /docs shows
    desk, measures = Desk(limits), Measures()
    app.add_middleware(BodyLimit, most=limits.body_bytes)
    _add_middle(app, measures)
    app.add_middleware(Sending, desk=desk)  # the last one added is outermost
    _add_pages(app, landmarker)
    add_live(app, landmarker, desk)

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> JSONResponse:
        return JSONResponse({"error": str(refusal)}, refusal.status, {"Retry-After": "1"} if refusal.status == 503 else None)

    @app.exception_handler(RequestValidationError)
    async def not_meant(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return JSONResponse({"error": told}, 422)

    @app.exception_handler(HTTPException)
    async def not_there(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.post("/v1/landmarks", openapi_extra={"requestBody": SENT}, responses=answers.RESPONSES, response_class=Response)
    async def landmarks(
        request: Request,
        format: Annotated[Format, Query(description="What comes back; pts and several pictures come as a zip.")] = "json",
        labels: Annotated[Labels, Query(description="Beside the points of a drawn picture.")] = "none",
        detect: Annotated[bool, Query(description="No: every picture is one face from edge to edge.")] = True,
        least: Annotated[float | None, Query(ge=0, le=1, description="Drop what is less sure to be a face.")] = None,
        any_rotation: Annotated[bool, Query(description="Also faces on their side or head down; four times the time.")] = False,
    ) -> Response:
        """The points of all faces in one or many pictures: a picture as the body, or a form with any number of files."""
        with desk.room(request) as room:
            sent = await pictures_in(request, limits)
            room.of(sum(len(picture.data) for picture in sent))
            wanted = landmarker.changed(detect=detect, least=least, any_rotation=any_rotation, most=limits.faces)
            answer = await desk.done(answers.answered, sent, wanted, limits.pixels, format, labels)
            measures.looked_at(answer)
            return answer.response

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Says that it lives."""
        return {"status": "ok", "version": nasion.__version__}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts and times, as Prometheus reads them."""
        return Response(*measures.text(desk.waiting, desk.taken))

    return app


def _add_middle(app: FastAPI, measures: Measures) -> None:
    @app.middleware("http")
    async def measured(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began = perf_counter()
        response = await call_next(request)
        route = request.scope.get("route")
        measures.answered(getattr(route, "path", "elsewhere"), response.status_code, perf_counter() - began)
        response.headers.setdefault(_RULES, _POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _add_pages(app: FastAPI, landmarker: Landmarker) -> None:
    scheme = landmarker.model.recipe.scheme
    network = {
        "version": nasion.__version__, "scheme": scheme.name, "names": scheme.points, "edges": scheme.edge_index.tolist(), "parts": _parts(scheme),
    }  # fmt: skip

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(_PAGE / "index.html")

    @app.get("/sample.jpg", include_in_schema=False)
    def sample() -> Response:
        return Response(answers.sample(), media_type="image/jpeg")

    @app.get("/v1/network")
    async def what_it_says() -> dict[str, Any]:
        """The points' names, the lines between them, and the part of the face that each belongs to."""
        return network

    app.mount("/page", StaticFiles(directory=_PAGE))
    from swagger_ui_bundle import swagger_ui_path

    app.mount("/swagger", StaticFiles(directory=swagger_ui_path))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        told = get_swagger_ui_html(
            openapi_url="/openapi.json", title="nasion", swagger_js_url="/swagger/swagger-ui-bundle.js", swagger_css_url="/swagger/swagger-ui.css",
            swagger_favicon_url="/swagger/favicon-32x32.png",
        )  # fmt: skip
        # Its few lines of script stand in the page itself.
        return Response(told.body, media_type="text/html", headers={_RULES: _POLICY + "; script-src 'self' 'unsafe-inline'"})


def _parts(scheme: Scheme) -> list[str]:
    """The part of the face that each point belongs to, by its name."""
    found = []
    for point in scheme.points:
        words = set(point.split("_"))
        found.append(next((part for part, names in _PARTS.items() if words & set(names)), "other"))
    return found


__all__ = ["Limits", "build"]
