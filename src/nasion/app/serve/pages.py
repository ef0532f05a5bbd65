"""The page, its files, and the description of the interface. All links are relative to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders

import nasion
from nasion.app.face_parts import face_parts
from nasion.app.serve import responses
from nasion.app.serve.admission import App, Limits, Message, Receive, Send
from nasion.app.serve.anonymise import parts_that_can_be_hidden
from nasion.app.serve.crop_settings import MAX_SIDE, crop_templates
from nasion.app.serve.hide_settings import MAX_STRENGTH
from nasion.errors import SettingError
from nasion.inference.landmarker import Landmarker
from nasion.landmarks.measures import require_pose
from nasion.landmarks.scheme import Scheme

_PAGE = Path(__file__).parent / "page"
_CSP = "Content-Security-Policy"
# The page loads nothing from elsewhere; its images may be its own canvases and the camera's.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Tells browsers to load nothing from elsewhere, and to guess no file's kind."""

    def __init__(self, app: App) -> None:
        self.app: App = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault(_CSP, _POLICY)
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self.app(scope, receive, with_headers)


def has_pose(scheme: Scheme) -> bool:
    """Whether the head pose can be told from the points of a scheme."""
    try:
        require_pose(scheme)
    except SettingError:
        return False
    return True


def add_pages(app: FastAPI, landmarker: Landmarker, limits: Limits) -> None:
    """Add the page, the sample, the network's description and ``/docs``."""
    scheme = landmarker.predictor.spec.scheme
    network = {
        "version": nasion.__version__,
        "scheme": scheme.name,
        "point_names": scheme.points,
        "edges": scheme.edge_index.tolist(),
        "parts": face_parts(scheme),
        "crop_templates": crop_templates(scheme),
        "measures": has_pose(scheme),
        "parts_to_hide": parts_that_can_be_hidden(scheme),
        "limits": {
            "bytes": limits.body_bytes,
            "clip_seconds": limits.clip_seconds,
            "crop_size": MAX_SIDE,
            "strength": MAX_STRENGTH,
        },
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
        """The points' names, the edges between them, each point's part of the face, and limits."""
        return network

    app.mount("/page", StaticFiles(directory=_PAGE))
    _add_docs(app)


def _add_docs(app: FastAPI) -> None:
    """Swagger's page of the interface, with its own copy of Swagger's files."""
    from swagger_ui_bundle import swagger_ui_path

    app.mount("/swagger", StaticFiles(directory=swagger_ui_path))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        swagger = get_swagger_ui_html(
            openapi_url="openapi.json",
            title="nasion",
            swagger_js_url="swagger/swagger-ui-bundle.js",
            swagger_css_url="swagger/swagger-ui.css",
            swagger_favicon_url="swagger/favicon-32x32.png",
        )
        # Its script is inline.
        policy = {_CSP: f"{_POLICY}; script-src 'self' 'unsafe-inline'"}
        return Response(swagger.body, media_type="text/html", headers=policy)
