"""``nasion serve``: landmarks over HTTP and on a page in the browser. Built with FastAPI.

Images come in the request's body; nothing is read or downloaded because a request names it. How
much may be requested at once is limited (``Limits``), and under which names the server may be
called (``Access``).
"""

from __future__ import annotations

import nasion
from nasion.errors import requires_extra
from nasion.inference.landmarker import Landmarker

with requires_extra("The server", "serve"):
    from fastapi import Depends, FastAPI, Response
    from starlette.middleware.cors import CORSMiddleware

from nasion.app.serve.access import Access, AllowedHosts, PathPrefix
from nasion.app.serve.admission import AdmissionControl, ChunkedResponses, Limits
from nasion.app.serve.anonymise import FACES_HEADER, FRAMES_HEADER, STILL_HEADER, add_anonymise
from nasion.app.serve.bodies import BodyLimit
from nasion.app.serve.clips import add_clips
from nasion.app.serve.crops import add_crops
from nasion.app.serve.errors import add_error_handlers
from nasion.app.serve.landmarks import add_landmarks
from nasion.app.serve.pages import SecurityHeaders, add_pages
from nasion.app.serve.prometheus import Measuring, ServerMetrics
from nasion.app.serve.responses import PROBLEMS_HEADER
from nasion.app.serve.settings import refuse_unknown_parameters
from nasion.app.serve.websocket import add_camera
from nasion.media.clip_process import ClipDecoder
from nasion.media.decoder_process import ImageDecoder

_DESCRIPTION = (
    "Facial landmarks. Images and videos come in the request's body; nothing is read or downloaded "
    "because a request names it."
)


def build_app(
    landmarker: Landmarker, limits: Limits | None = None, access: Access | None = None
) -> FastAPI:
    """The server's application; ``landmarker`` finds the faces.

    Connections are not its matter: ``nasion.app.serve.connections.server_config`` limits those.
    """
    limits, access = limits or Limits(), access or Access()
    app = FastAPI(
        title="nasion",
        version=nasion.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_unknown_parameters)],
    )
    app.openapi_version = "3.0.2"  # the newest that the page /docs shows
    admission, metrics = AdmissionControl(limits), ServerMetrics()
    decode = ImageDecoder(limits.decode_seconds, limits.pixels)
    _add_middleware(app, admission, metrics, access)
    add_error_handlers(app)
    add_landmarks(app, landmarker, admission, metrics, decode)
    decode_clip = ClipDecoder(limits.decode_seconds, limits.pixels)
    add_clips(app, landmarker, admission, metrics, decode_clip)
    add_crops(app, landmarker, admission, metrics, decode, decode_clip)
    add_anonymise(app, landmarker, admission, metrics, decode, decode_clip)
    add_pages(app, landmarker, limits)
    add_camera(app, landmarker, admission, access, decode)

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


def _add_middleware(
    app: FastAPI, admission: AdmissionControl, metrics: ServerMetrics, access: Access
) -> None:
    """Each that is added wraps those before it: the last one is met first by a request."""
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=["GET", "POST"],
            expose_headers=[FACES_HEADER, STILL_HEADER, FRAMES_HEADER, PROBLEMS_HEADER],
        )
    app.add_middleware(AllowedHosts, access=access)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measuring, metrics=metrics)
    app.add_middleware(ChunkedResponses, admission=admission)
    app.add_middleware(BodyLimit, admission=admission)
    if access.root_path:
        app.add_middleware(PathPrefix, root_path=access.root_path)


__all__ = ["Access", "Limits", "build_app"]
