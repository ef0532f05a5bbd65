"""The command that serves the labelling page."""

from __future__ import annotations

import getpass
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasion.app import console
from nasion.app.cli.label_options import reads_labels
from nasion.app.cli.options import DataPath, Model
from nasion.errors import SettingError, requires_extra

if TYPE_CHECKING:
    from nasion.data.label_reading import LabelReading


@reads_labels
def label(
    path: DataPath,
    who: Annotated[
        str | None,
        typer.Option(
            help="Who labels: the list is DATA.changes/WHO.jsonl.", show_default="the login name"
        ),
    ] = None,
    run: Model = Path("face68"),
    order: Annotated[
        str | None,
        typer.Option(
            help="Which faces come first: suspects (of an audit), unsure, typical, random, file.",
            show_default="suspects if there is an audit, else random",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port; 0 chooses a free one.", min=0, max=65535)
    ] = 8010,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the page in the browser.")
    ] = False,
    *,
    reading: LabelReading,
) -> None:
    """Correct and draw labels on a page in the browser, with proposals of a network.

    Each change is saved at once, beside the data; files of labels are never changed. Ctrl-C stops
    it.
    """
    with requires_extra("The labelling page", "serve"):
        from nasion.app.label.server import LIMITS, build_app
        from nasion.app.serve.access import Access
        from nasion.app.serve.connections import server_config
        from nasion.app.serve.listening import ANY_ADDRESS, LOCAL, listen, shown_address
    import uvicorn

    from nasion.app.label.opening import opened
    from nasion.app.stopping import StopSignals

    with ExitStack() as stack:
        stack.enter_context(StopSignals())
        server = stack.enter_context(opened(path, who or _login_name(), str(run), order, reading))
        # A wildcard is an address to listen on, not to be called by.
        access = Access(hosts=() if host in ANY_ADDRESS else (host,))
        config = server_config(build_app(server, access), LIMITS, host=host, port=port)
        listening = listen(config)
        address = shown_address(host, listening)
        _say_where(server.list_path, server.store.read_only, address)
        if host not in LOCAL:
            console.warn("Other machines can reach this address: whoever does can change labels.")
        if not no_open:
            _open_browser(address)
        # However it is stopped, all that was acknowledged is on disk.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    console.say(f"Stopped. {_outcome(server.list_path)}")


def _say_where(path: Path, read_only: str | None, address: str) -> None:
    console.say(f"Label at {address} Ctrl-C stops it.")
    if read_only:
        console.warn(f"Nothing can be saved: {read_only}")
    else:
        console.say(f"Changes are saved in {path}")


def _outcome(path: Path) -> str:
    """Where changes are, if there are any: the list is written with the first one."""
    return f"Your changes are in {path}" if path.is_file() else "Nothing was changed."


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:  # a container's user may have no name
        raise SettingError("Your login has no name; say who labels: --who NAME.") from error


def _open_browser(address: str) -> None:
    import threading
    import webbrowser

    # Some browsers only return when they are closed.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
