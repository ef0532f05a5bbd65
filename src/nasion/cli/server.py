"""The command that serves points over HTTP and on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion import terminal
from nasion.cli.options import RecipeFile, model_of
from nasion.errors import SettingError, needing

_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at; others than this machine's own let others in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0: any that is free.", min=0, max=65535)] = 8000,
    run: Annotated[Path, typer.Option("--run", help="A shipped network's name, an exported .onnx file, or a run's folder.")] = Path("face68"),
    detector: Annotated[str, typer.Option(help="What finds faces: single_shot (nasion's own), or dlib if it is installed.")] = "single_shot",
    workers: Annotated[int | None, typer.Option(help="Threads that look at pictures.", show_default="cores")] = None,
    most_bytes: Annotated[int, typer.Option(help="Bytes of a request.")] = 32 << 20,
    most_pixels: Annotated[int, typer.Option(help="Pixels of a picture.")] = 25_000_000,
    most_faces: Annotated[int, typer.Option(help="Faces of a picture.")] = 50,
    most_seconds: Annotated[float, typer.Option(help="Seconds that a request may take.")] = 30.0,
    recipe: RecipeFile = None,
) -> None:
    """Serve points of faces: a page for the browser, with camera, and an HTTP interface. Ctrl-C stops it."""
    with needing("The server", "serve"):
        import uvicorn

        from nasion import serve as server
    from nasion.landmarker import Landmarker
    from nasion.serve.live import FRAME_BYTES

    limits = server.Limits(body_bytes=most_bytes, pixels=most_pixels, faces=most_faces, seconds=most_seconds, workers=workers)
    app = server.build(Landmarker(model_of(run, recipe), detector=detector, most=most_faces), limits)
    settings = uvicorn.Config(app, host=host, port=port, log_level="warning", ws_max_size=FRAME_BYTES, ws_max_queue=2, timeout_graceful_shutdown=5)
    try:
        listening = settings.bind_socket()
    except SystemExit as error:
        raise SettingError(
            f"Nothing can listen at {host} port {port}: it is taken, or not this machine's; name another by --port or --host."
        ) from error
    shown = f"[{host}]" if ":" in host else host
    terminal.out.print(f"nasion serves at http://{shown}:{listening.getsockname()[1]} (HTTP interface: /docs). Ctrl-C stops it.", highlight=False)
    if host not in _LOCAL:
        terminal.err.print("Others can reach it: whoever can reach this address can use it. Browsers allow cameras only over https.", style="yellow")
    uvicorn.Server(settings).run(sockets=[listening])
