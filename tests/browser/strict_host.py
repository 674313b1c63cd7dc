"""Serves the page over sample runs, stricter than TensorBoard does: nothing inline, no eval."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402 - the line above

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "html5lib's sanitizer is deprecated", DeprecationWarning)
    from tests.serving.sample_server import build
    from tests.serving.samples import SampleSource

POLICY = "default-src 'self'; frame-ancestors *"

ENTRY = b"""<!doctype html><html><head><meta charset="utf-8">
<base href="data/plugin/convergence/"><script type="module" src="../../../start.js"></script>
</head><body></body></html>"""
START = b'import { render } from "./data/plugin/convergence/index.js";\nrender();\n'
FRAME = b"""<!doctype html><html><head><meta charset="utf-8"><title>notebook</title></head>
<body><h1>Cell</h1><iframe src="%s" width="100%%" height="800" frameborder="0"></iframe>
</body></html>"""
"""As `tensorboard.notebook` writes it: a page of another origin, with an inline frame."""

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def running(app: App) -> Iterator[str]:
    """Address of `app`, on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def strict(source: SampleSource) -> App:
    """The page at /, every reply under `POLICY`."""
    tensorboard = build(source)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [one for one in headers if one[0].lower() != "content-security-policy"]
            return start_response(status, [*kept, ("Content-Security-Policy", POLICY)], *rest)

        own = {"/": (ENTRY, "text/html"), "/start.js": (START, "text/javascript")}
        if environ["PATH_INFO"] in own:
            body, kind = own[environ["PATH_INFO"]]
            begin("200 OK", [("Content-Type", f"{kind}; charset=utf-8")])
            return [body]
        return tensorboard(environ, begin)

    return app


def notebook(address: str) -> App:
    """A page that shows `address` in a frame, as a notebook's output cell does."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [FRAME % address.encode()]

    return app
