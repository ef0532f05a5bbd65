"""The command that serves landmarks over HTTP and on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasion.app import console
from nasion.app.cli.options import DetectorName, Model, RecipeFile, open_model
from nasion.errors import requires_extra


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
        int | None, typer.Option(help="Threads that process images.", show_default="cores", min=1)
    ] = None,
    max_bytes: Annotated[int, typer.Option(help="Largest request, in bytes.", min=1)] = 32 << 20,
    max_pixels: Annotated[int, typer.Option(help="Largest image, in pixels.", min=1)] = 25_000_000,
    max_faces: Annotated[int, typer.Option(help="Most faces per image.", min=1)] = 50,
    max_seconds: Annotated[float, typer.Option(help="Longest time per request.")] = 30.0,
    max_clip_seconds: Annotated[
        float, typer.Option(help="Longest video (1,000 frames at most).")
    ] = 20.0,
    root_path: Annotated[
        str, typer.Option(help="The path under which a proxy shows this server, as /faces.")
    ] = "",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Also answer under this host name (beside localhost and the address that a "
            "connection came in at); *.example.org for all below it, * for any. Repeatable."
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Pages of this origin, as https://example.org, may use the interface (CORS). "
            "Repeatable."
        ),
    ] = None,
    forwarded_allow_ips: Annotated[
        str,
        typer.Option(
            help="Addresses of proxies, separated by commas, whose X-Forwarded-For and "
            "X-Forwarded-Proto are believed."
        ),
    ] = "127.0.0.1",
    recipe: RecipeFile = None,
) -> None:
    """Serve landmarks: a page for the browser, with camera, and an HTTP interface.

    Ctrl-C stops it.
    """
    with requires_extra("The server", "serve"):
        from nasion.app.serve import Access, Limits, build_app
        from nasion.app.serve.connections import server_config
        from nasion.app.serve.listening import ANY_ADDRESS, LOCAL, listen, shown_address
    import uvicorn

    from nasion.inference.landmarker import Landmarker

    limits = Limits(
        body_bytes=max_bytes,
        pixels=max_pixels,
        faces=max_faces,
        seconds=max_seconds,
        clip_seconds=max_clip_seconds,
        workers=workers,
    )
    # A wildcard is an address to listen on, not to be called by.
    hosts = [*(allow_host or []), *([] if host in ANY_ADDRESS else [host])]
    access = Access(tuple(hosts), tuple(allow_origin or ()), root_path)
    landmarker = Landmarker(open_model(run, recipe), detector=detector, max_faces=max_faces)
    app = build_app(landmarker, limits, access)
    config = server_config(
        app, limits, host=host, port=port, forwarded_allow_ips=forwarded_allow_ips
    )
    listening = listen(config)
    address = shown_address(host, listening)
    console.say(f"nasion serves at {address} (HTTP interface: /docs). Ctrl-C stops it.")
    if host not in LOCAL:
        console.warn(
            "Other machines can reach this address, and anyone who does can use it. "
            "Under a name it answers with --allow-host. Browsers allow cameras only over https."
        )
    uvicorn.Server(config).run(sockets=[listening])
