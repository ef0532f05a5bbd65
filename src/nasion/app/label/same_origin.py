"""Only the page itself may change labels: other pages' requests are refused."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from nasion.app.serve.admission import App, Message, Receive, Send

_JSON = "application/json"


class SameOrigin:
    """Refuses a POST from a page of another origin (403), and one that is not JSON (415).

    A form of another page can send text, but neither JSON nor without its origin. Other pages may
    not embed images either.
    """

    def __init__(self, app: App) -> None:
        self.app: App = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        refusal = _refusal(scope) if scope["type"] == "http" else None
        app = self.app if refusal is None else refusal
        await app(scope, receive, with_policy)


def _refusal(scope: Message) -> JSONResponse | None:
    if scope["method"] in ("GET", "HEAD"):
        return None
    headers = Headers(scope=scope)
    origin, own = headers.get("origin"), f"http://{headers.get('host', '')}"
    if origin is not None and origin != own:
        error = f"A page of {origin} may not change labels; use the page at {own}."
        return JSONResponse({"error": error}, 403)
    if headers.get("content-type", "").split(";")[0].strip().lower() != _JSON:
        return JSONResponse({"error": f"The body must be {_JSON}."}, 415)
    return None
