"""From a log directory or a TensorBoard data provider to `RunHistory`.

The only place that knows a loader. Nothing of TensorBoard is imported before it is used, so that
importing this package stays cheap for the server's plugin hooks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.reading.folders import LogdirError
    from tb_convergence.reading.logdir import diagnose, each_run, examine, open_logdir
    from tb_convergence.reading.patterns import (
        ScalarRule,
        TagPattern,
        TagPatternError,
        TagRule,
        parse_tags,
    )
    from tb_convergence.reading.provider import RunNotFoundError, list_runs, read_run
    from tb_convergence.reading.tensorboard.data_source import DataSource, DataUnavailableError

_PUBLIC = {
    "DataUnavailableError": "tensorboard.data_source",
    "LogdirError": "folders",
    "RunNotFoundError": "provider",
    "DataSource": "tensorboard.data_source",
    "ScalarRule": "patterns",
    "TagPattern": "patterns",
    "TagPatternError": "patterns",
    "TagRule": "patterns",
    "diagnose": "logdir",
    "each_run": "logdir",
    "examine": "logdir",
    "list_runs": "provider",
    "open_logdir": "logdir",
    "parse_tags": "patterns",
    "read_run": "provider",
}

__all__ = [
    "DataSource",
    "DataUnavailableError",
    "LogdirError",
    "RunNotFoundError",
    "ScalarRule",
    "TagPattern",
    "TagPatternError",
    "TagRule",
    "diagnose",
    "each_run",
    "examine",
    "list_runs",
    "open_logdir",
    "parse_tags",
    "read_run",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
