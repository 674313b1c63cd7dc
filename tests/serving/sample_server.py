"""Serves the plugin's routes over the sample runs: for drawing the page without a training.

    python tests/serving/sample_server.py --port 8123

Opens at http://localhost:8123/ as TensorBoard would show it: the page's module inside an iframe,
under TensorBoard's own content security policy. `--static DIR` serves another build of the page and
reads it anew on every load of the page; `--slow SECONDS` delays every reply about a run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The repository comes before anything that is installed.
from tensorboard.backend import application  # noqa: E402
from tensorboard.plugins import base_plugin  # noqa: E402
from werkzeug.serving import run_simple  # noqa: E402

from tb_convergence.core.history import RunHistory  # noqa: E402
from tb_convergence.serving import assets  # noqa: E402
from tb_convergence.serving.plugin import ConvergencePlugin  # noqa: E402
from tb_convergence.serving.routes import applications  # noqa: E402
from tb_convergence.serving.service import Service  # noqa: E402
from tb_convergence.serving.source import Scope  # noqa: E402
from tests.serving.samples import SampleSource, all_samples  # noqa: E402

INDEX = b"""<!doctype html><meta charset="utf-8"><title>Convergence, sample runs</title>
<style>html,body,iframe{margin:0;border:0;width:100%;height:100%;display:block}</style>
<iframe src="data/plugin_entry.html?name=convergence" title="Convergence"></iframe>
"""


class SamplePlugin(ConvergencePlugin):
    """The plugin, over samples."""

    def __init__(self, source: SampleSource, static: Path | None) -> None:
        super().__init__(SimpleNamespace(data_provider=None))
        self._source = source
        self._static = static

    def get_plugin_apps(self) -> dict[str, Any]:
        return applications(Service(self._source), assets.load(self._static))

    def is_active(self) -> bool:
        return True


class SlowSource(SampleSource):
    """Takes its time, for the page's progress views."""

    seconds = 0.0

    def history(self, scope: Scope, run: str) -> RunHistory:
        time.sleep(self.seconds)
        return super().history(scope, run)


def build(
    source: SampleSource, static: Path | None = None, path_prefix: str = ""
) -> Callable[..., Iterable[bytes]]:
    """TensorBoard's own WSGI application, with no plugin but ours."""
    plugin = SamplePlugin(source, static)

    class Loader(base_plugin.TBLoader):
        def load(self, context: Any) -> Any:
            return plugin

    flags = SimpleNamespace(
        logdir="samples", samples_per_plugin={}, window_title="", path_prefix=path_prefix
    )
    app: Callable[..., Iterable[bytes]] = application.TensorBoardWSGIApp(flags, [Loader()])
    return app


def main() -> None:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--static", type=Path, default=None)
    parser.add_argument("--slow", type=float, default=0.0)
    options = parser.parse_args()
    samples = all_samples()
    source = SlowSource(*samples.histories.values())
    source.failing.update(samples.failing)
    source.seconds = options.slow
    holder = {"app": build(source, options.static)}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/":
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [INDEX]
        if environ["PATH_INFO"] == "/data/plugin_entry.html":
            holder["app"] = build(source, options.static)
        return holder["app"](environ, start_response)

    run_simple(options.host, options.port, app, threaded=True)


if __name__ == "__main__":
    main()
