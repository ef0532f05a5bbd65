"""A camera's frames over a WebSocket, and their faces back: each connection follows its own faces and calms their points."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect

from nasion.errors import DataError
from nasion.files import open_picture
from nasion.formats.json import face_value
from nasion.landmarker import Landmarker
from nasion.landmarker.smoothing import OneEuro
from nasion.landmarker.tracking import Tracker
from nasion.serve.desk import Desk, Refusal

Cutoff = Annotated[float, Query(gt=0, allow_inf_nan=False)]
Beta = Annotated[float, Query(ge=0, allow_inf_nan=False)]
FRAME_BYTES = 4 << 20
_FRAME_PIXELS = 4_000_000
_IDLE = 60  # seconds
_BUSY, _NOT_ALLOWED, _NOT_DATA = 1013, 1008, 1003  # WebSocket's codes


def add_live(app: FastAPI, landmarker: Landmarker, desk: Desk) -> None:
    """``/v1/live``: a JPEG in each message from the client, the frame's faces as JSON in each answer, in their order."""
    there: set[WebSocket] = set()

    @app.websocket("/v1/live")
    async def live(socket: WebSocket, smooth: bool = True, min_cutoff: Cutoff = 0.4, beta: Beta = 400.0) -> None:
        origin, host = socket.headers.get("origin"), socket.headers.get("host")
        if origin is not None and urlsplit(origin).netloc != host:
            # Another page in the same browser is not who may watch.
            await socket.close(_NOT_ALLOWED, "Only this server's own page may send its camera.")
            return
        await socket.accept()
        if len(there) >= desk.limits.live:
            await socket.close(_BUSY, f"{desk.limits.live} cameras are being followed already, the limit.")
            return
        there.add(socket)
        try:
            wanted = landmarker.changed(detect=True, least=None, any_rotation=False, most=desk.limits.faces)
            await _follow(socket, Tracker(wanted, OneEuro(min_cutoff, beta) if smooth else None), desk)
        except WebSocketDisconnect:
            pass
        finally:
            there.discard(socket)


async def _follow(socket: WebSocket, tracker: Tracker, desk: Desk) -> None:
    began = perf_counter()
    while True:
        try:
            data = await asyncio.wait_for(socket.receive_bytes(), _IDLE)
            answer = await desk.done(_seen, data, tracker, perf_counter() - began)
        except DataError as error:
            answer = {"error": str(error)}
        except KeyError:  # a message of text
            await socket.close(_NOT_DATA, "A JPEG is expected in each message.")
            return
        except (TimeoutError, Refusal) as error:
            # The tracker may still be at work, so nothing more can be asked of it.
            await socket.close(_BUSY, str(error) or f"Nothing came for {_IDLE} seconds.")
            return
        await socket.send_json(answer)


def _seen(data: bytes, tracker: Tracker, seconds: float, over: Callable[[], bool]) -> dict[str, Any] | None:
    if len(data) > FRAME_BYTES:
        raise DataError(f"A frame of {len(data):,} bytes; the limit is {FRAME_BYTES:,}.")
    if over():
        return None
    began = perf_counter()
    pixels = open_picture(data, tracker.landmarker.model.recipe.colour, "The frame", limit=_FRAME_PIXELS)
    faces = tracker(pixels, seconds)
    size = {"width": pixels.shape[1], "height": pixels.shape[0]}
    return {**size, "milliseconds": round(1e3 * (perf_counter() - began), 2), "faces": [face_value(face) for face in faces]}
