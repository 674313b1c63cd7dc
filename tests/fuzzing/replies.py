"""Every route, asked about one run, and about two: replies keep the contract, nothing is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.diagnosis.timeline import replay
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.patterns import parse_tags
from tb_convergence.reading.recorded_histograms import RecordedHistograms
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.routes import applications
from tb_convergence.serving.service import Service
from tb_convergence.serving.source import Scope
from tests.fuzzing.histories import Seen
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


class SeenSource(SampleSource):
    """Runs as a loader gave them, with the histograms it gave; for one answer to `tags`."""

    def __init__(self, runs: Sequence[Seen]) -> None:
        super().__init__(*(run.history for run in runs))
        self._runs = {run.name: run for run in runs}

    def history(self, scope: Scope, run: str) -> RunHistory:
        assert scope.tags == parse_tags(self._runs[run].tags)
        return super().history(scope, run)

    def histograms(self, scope: Scope, run: str, variable: str) -> tuple[RecordedHistograms, ...]:
        return self._runs[run].recorded[variable]


def client_of(run: Seen, beside: Seen | None = None, told: RunDiagnosis | None = None) -> Client:
    """Asks our own routes, as TensorBoard would; runs are followed through fewer looks.

    `beside` is a second run, of which `told` is said.
    """
    service = Service(
        SeenSource([run] if beside is None else [run, beside]),
        diagnose=lambda history: (
            told if told is not None and history is not run.history else diagnose_history(history)
        ),
        follow=lambda history, found: replay(history, cuts=LOOKS, diagnosis=found).diagnosis,
    )
    return Client(DispatcherMiddleware(_nothing_here, {
        f"{PREFIX}{path}": app for path, app in applications(service, {}).items()
    }))


def _nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError(f"{environ['PATH_INFO']} is no route")


def replies_about(client: Client, seen: Seen) -> Iterator[tuple[str, bytes]]:
    """Address and body of each reply about one run, after the contract was checked."""
    tags = {"tags": seen.tags} if seen.tags else {}
    entries = contract.examined_runs(client, **tags)["runs"]
    assert [entry["error"] for entry in entries] == [None] * len(entries), entries
    about = {"run": seen.name, **tags}
    yield from _asked(client, "findings", contract.check_findings, **about)
    yield from _asked(client, "series", lambda found: contract.check_series(found, 100),
                      points=100, **about)
    yield from _asked(client, "layers", contract.check_layers, **about)
    for group in _groups(client, about):
        given = {**about, "group": group["group"]}
        for metric in _ends(group["metrics"]):
            address = _address("heatmap", **given, metric=metric["name"], width=20)
            if metric["name"] and len(address) < LIMITS.parameter_characters:
                contract.heat_map(client.get(address))
        for row in _ends(range(group["row_count"])):
            yield from _asked(client, "layer", lambda found: contract.check_layer(found, 50),
                              **given, row=row, points=50)
            yield from _asked(client, "histogram",
                              lambda found: contract.check_histogram(found, 20),
                              **given, row=row, width=20)


def ask_about_both(client: Client, run: str, other: str) -> None:
    """Compare two runs, both ways; a statistic that one of them lacks may be refused."""
    for first, second in ((run, other), (other, run)):
        about = {"run": first, "with": second}
        contract.check_compare(contract.document(client.get(_address("compare", **about))))
        for group in _groups(client, {"run": first}):
            for metric in _ends(group["metrics"]):
                address = _address("difference", **about, group=group["group"],
                                   metric=metric["name"], width=20)
                if not metric["name"] or len(address) >= LIMITS.parameter_characters:
                    continue
                response = client.get(address)
                if response.status_code == 404:
                    contract.error(response, 404)
                else:
                    contract.difference_map(response)


def _groups(client: Client, about: dict[str, Any]) -> list[Any]:
    """Groups of layers that can be asked for: they have a name."""
    layers = contract.document(client.get(_address("layers", **about)))
    return [group for group in layers["groups"] if group["group"]]


def _ends(items: Sequence[Any]) -> Sequence[Any]:
    return [*items[:1], *items[1:][-1:]]


def _address(route: str, **given: Any) -> str:
    return f"{PREFIX}/{route}?{urlencode(given)}"


def _asked(
    client: Client, route: str, check: Callable[[Any], None], **given: Any
) -> Iterator[tuple[str, bytes]]:
    address = _address(route, **given)
    response = client.get(address)
    found = contract.document(response)
    check(found)
    yield address, contract.plain(response)
