"""Every route, asked about one run: its replies keep the contract, and nothing is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tb_convergence.core.diagnosis.timeline import replay
from tb_convergence.core.history import RunHistory
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.routes import applications
from tb_convergence.serving.service import Service
from tests.serving import contract
from tests.serving.contract import PREFIX
from tests.serving.samples import SampleSource

LOOKS: Final = 6
"""How often a run is diagnosed as it grew; the page's own number takes most of the time."""


@contextmanager
def failures_heard() -> Iterator[list[str]]:
    """What is logged as failed meanwhile; nothing reaches the terminal."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(f"{record.getMessage()}: {record.exc_info[1]!r}" if record.exc_info
                         else record.getMessage())

    loggers = [logging.getLogger(name) for name in ("tb_convergence",
                                                    "tensorboard.plugins.convergence")]
    listener = Listener(logging.ERROR)
    passed_on = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(listener)
        logger.propagate = False
    try:
        yield heard
    finally:
        for logger, propagate in zip(loggers, passed_on, strict=True):
            logger.removeHandler(listener)
            logger.propagate = propagate


def same_but_name(replies: dict[str, bytes], alone: dict[str, bytes], name: str) -> bool:
    """Replies name the run, and nothing else may differ."""
    quoted = name.replace("~", "%7E")
    renamed = {
        route.replace(quoted, "r").replace(name, "r"): _without(body, name)
        for route, body in replies.items()
    }
    return renamed == {route: _without(body, "r") for route, body in alone.items()}


def _without(body: bytes, name: str) -> bytes:
    return body.replace(f'"{name}"'.encode(), b'"r"')


def client_of(*histories: RunHistory) -> Client:
    """Asks our own routes, as TensorBoard would; runs are followed through fewer looks."""
    service = Service(
        SampleSource(*histories),
        follow=lambda history, found: replay(history, cuts=LOOKS, diagnosis=found).diagnosis,
    )
    return Client(DispatcherMiddleware(_nothing_here, {
        f"{PREFIX}{path}": app for path, app in applications(service, {}).items()
    }))


def _nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError(f"{environ['PATH_INFO']} is no route")


def replies_about(client: Client, history: RunHistory) -> Iterator[tuple[str, bytes]]:
    """Address and body of each reply about one run, after the contract was checked."""
    entries = contract.examined_runs(client)["runs"]
    assert [entry["error"] for entry in entries] == [None], entries
    run = history.run
    yield from _asked(client, "findings", contract.check_findings, run=run)
    yield from _asked(client, "series", lambda found: contract.check_series(found, 100), run=run,
                      points=100)
    yield from _asked(client, "layers", contract.check_layers, run=run)
    layers = contract.document(client.get(f"{PREFIX}/layers?{urlencode({'run': run})}"))
    for group in layers["groups"]:
        given = {"run": run, "group": group["group"]}
        if not group["group"]:
            continue
        for metric in _ends(group["metrics"]):
            if metric["name"]:
                asked = urlencode({**given, "metric": metric["name"], "width": 20})
                if len(asked) < LIMITS.parameter_characters:
                    response = client.get(f"{PREFIX}/heatmap?{asked}")
                    contract.heat_map(response)
        for row in _ends(range(group["row_count"])):
            yield from _asked(client, "layer", lambda found: contract.check_layer(found, 50),
                              **given, row=row, points=50)


def _ends(items: Sequence[Any]) -> Sequence[Any]:
    return [*items[:1], *items[1:][-1:]]


def _asked(
    client: Client, route: str, check: Callable[[Any], None], **given: Any
) -> Iterator[tuple[str, bytes]]:
    address = f"{PREFIX}/{route}?{urlencode(given)}"
    response = client.get(address)
    found = contract.document(response)
    check(found)
    yield address, contract.plain(response)
