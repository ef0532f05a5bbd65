"""Camera frames over a WebSocket; each connection tracks its own faces and smooths their points."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect

from nasion.app.serve.access import Access, refuse_socket
from nasion.app.serve.admission import AdmissionControl, Rejected, client_of
from nasion.app.serve.settings import Number, refuse_measures, unknown_parameters
from nasion.errors import DataError
from nasion.inference.landmarker import Landmarker
from nasion.inference.smoothing import OneEuro
from nasion.inference.tracking import Tracker
from nasion.landmarks.face import ImageResult
from nasion.landmarks.measures import measure
from nasion.media.decoder_process import ImageDecoder
from nasion.prediction_formats.json import image_value

Cutoff = Annotated[Number, Query(gt=0, allow_inf_nan=False)]
Beta = Annotated[Number, Query(ge=0, allow_inf_nan=False)]
MAX_FRAME_BYTES = 4 << 20  # of a JPEG as it is sent
_MAX_FRAME_PIXELS = 4_000_000  # decoded; a Full HD frame has 2 million
_IDLE_SECONDS = 60  # without a frame, after which a camera's place is given up
_TRY_AGAIN, _UNSUPPORTED = 1013, 1003  # WebSocket close codes


def add_camera(
    app: FastAPI,
    landmarker: Landmarker,
    admission: AdmissionControl,
    access: Access,
    decode: ImageDecoder,
) -> None:
    """Add ``/v1/live``: a JPEG per message from the client, the frame's faces as JSON back."""
    connected: set[WebSocket] = set()

    @app.websocket("/v1/live")
    async def live(
        socket: WebSocket,
        smooth: bool = True,
        min_cutoff: Cutoff = 0.4,
        beta: Beta = 400.0,
        hide_occluded: bool = False,
        measures: bool = False,
    ) -> None:
        origin, host = socket.headers.get("origin"), socket.headers.get("host", "")
        if origin is not None and not access.allows_origin(origin, host):
            # Another page in the same browser must not use this server.
            await refuse_socket(
                socket,
                403,
                f"Only this server's own page may connect, not one of {origin}; allow it with "
                "--allow-origin, or the name of a proxy before this server with --allow-host.",
            )
            return
        reason = unknown_parameters(socket)
        unused = sorted({"min_cutoff", "beta"} & set(socket.query_params))
        if not smooth and unused:
            reason = reason or f"{', '.join(unused)}: has no effect with smooth=false."
        if reason:
            await refuse_socket(socket, 422, reason)
            return
        if measures:
            try:
                refuse_measures(landmarker.predictor.spec.scheme)
            except Rejected as error:
                await refuse_socket(socket, error.status, str(error))
                return
        # Accepted first: a connection that is refused cannot be told a close code and a reason.
        await socket.accept()
        limit = admission.limits.cameras
        if len(connected) >= limit:
            await socket.close(_TRY_AGAIN, f"{limit} cameras are connected already, the limit.")
            return
        # No await since the check, so two connections cannot both take the last place.
        connected.add(socket)
        try:
            own = landmarker.with_settings(max_faces=admission.limits.faces)
            smoothing = OneEuro(min_cutoff, beta) if smooth else None
            camera = _Camera(Tracker(own, smoothing), decode, hide_occluded, measures)
            await _answer_frames(socket, camera, admission)
        except WebSocketDisconnect:
            pass
        finally:
            connected.discard(socket)


async def _answer_frames(socket: WebSocket, camera: _Camera, admission: AdmissionControl) -> None:
    started, client = perf_counter(), client_of(socket.scope)
    while True:
        try:
            data = await asyncio.wait_for(socket.receive_bytes(), _IDLE_SECONDS)
            # When the frame came, not when it is processed: the smoothing needs the camera's clock.
            seconds = perf_counter() - started
            answer = await admission.run(client, camera.process, data, seconds)
        except DataError as error:
            answer = {"error": str(error)}
        except KeyError:  # a text message
            await socket.close(_UNSUPPORTED, "A JPEG is expected in each message.")
            return
        except (TimeoutError, Rejected) as error:
            # The tracker may still be at work, so it cannot take another frame.
            reason = str(error) or f"No frame came for {_IDLE_SECONDS} seconds."
            await socket.close(_TRY_AGAIN, reason)
            return
        await socket.send_json(answer)


@dataclass(frozen=True)
class _Camera:
    """A connection's faces so far.

    ``hide_occluded``: leave hidden points out of answers. ``measures``: tell poses, eyes, mouths.
    """

    tracker: Tracker
    decode: ImageDecoder
    hide_occluded: bool = False
    measures: bool = False

    def process(
        self, data: bytes, seconds: float, cancelled: Callable[[], bool]
    ) -> dict[str, Any] | None:
        if len(data) > MAX_FRAME_BYTES:
            raise DataError(f"A frame of {len(data):,} bytes; the limit is {MAX_FRAME_BYTES:,}.")
        if cancelled():
            return None
        started = perf_counter()
        colour = self.tracker.landmarker.predictor.spec.colour
        pixels = self.decode(data, colour, "The frame", _MAX_FRAME_PIXELS)
        faces = self.tracker(pixels, seconds)
        height, width = pixels.shape[:2]
        measured = measure(faces, self.tracker.unsmoothed) if self.measures else None
        result = ImageResult("frame", "frame", (width, height), tuple(faces), measured=measured)
        result = result.without_hidden() if self.hide_occluded else result
        values = image_value(result)["faces"]
        milliseconds = round(1e3 * (perf_counter() - started), 2)
        return {"width": width, "height": height, "milliseconds": milliseconds, "faces": values}
