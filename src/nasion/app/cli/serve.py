"""The command that serves landmarks over HTTP and on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion.app import console
from nasion.app.cli.options import DetectorName, Model, RecipeFile, open_model
from nasion.errors import SettingError, requires_extra

_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 chooses a free one.", min=0, max=65535)
    ] = 8000,
    run: Model = Path("face68"),
    detector: DetectorName = "single_shot",
    workers: Annotated[
        int | None, typer.Option(help="Threads that process images.", show_default="cores")
    ] = None,
    max_bytes: Annotated[int, typer.Option(help="Largest request, in bytes.")] = 32 << 20,
    max_pixels: Annotated[int, typer.Option(help="Largest image, in pixels.")] = 25_000_000,
    max_faces: Annotated[int, typer.Option(help="Most faces per image.")] = 50,
    max_seconds: Annotated[float, typer.Option(help="Longest time per request.")] = 30.0,
    recipe: RecipeFile = None,
) -> None:
    """Serve landmarks: a page for the browser, with camera, and an HTTP interface.

    Ctrl-C stops it.
    """
    with requires_extra("The server", "serve"):
        import uvicorn

        from nasion.app.serve import Limits, build_app
    from nasion.app.serve.websocket import MAX_FRAME_BYTES
    from nasion.inference.landmarker import Landmarker

    limits = Limits(
        body_bytes=max_bytes,
        pixels=max_pixels,
        faces=max_faces,
        seconds=max_seconds,
        workers=workers,
    )
    landmarker = Landmarker(open_model(run, recipe), detector=detector, max_faces=max_faces)
    config = uvicorn.Config(
        build_app(landmarker, limits),
        host=host,
        port=port,
        log_level="warning",
        ws_max_size=MAX_FRAME_BYTES,
        # Frames that wait: more would only be answered late.
        ws_max_queue=2,
        timeout_graceful_shutdown=5,
    )
    try:
        # Bound here, so that the port is known (0 chooses one) before the address is printed.
        listening = config.bind_socket()
    except SystemExit as error:
        raise SettingError(
            f"Cannot listen on {host} port {port}: it is taken, or not an address of this machine; "
            "choose another with --port or --host."
        ) from error
    # IPv6 addresses stand in brackets in a URL.
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    console.say(f"nasion serves at {address} (HTTP interface: /docs). Ctrl-C stops it.")
    if host not in _LOCAL:
        console.warn(
            "Other machines can reach this address, and anyone who does can use it. "
            "Browsers allow cameras only over https."
        )
    uvicorn.Server(config).run(sockets=[listening])
