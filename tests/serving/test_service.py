"""Many clients, broken runs, data that comes and goes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from tensorboard import errors
from werkzeug.test import Client

from tb_convergence.core.diagnosis import RunDiagnosis
from tb_convergence.core.history import RunHistory
from tb_convergence.serving.examined import RunKey
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.parameters import RefusedError
from tb_convergence.serving.service import Service
from tb_convergence.serving.source import Scope, UnavailableError
from tests.serving import contract
from tests.serving.contract import PREFIX
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource, explodes, healthy, large, trained

SCOPE = Scope(None, "")
HEAT = {"run": "mlp/healthy", "group": "variables", "metric": "gradient_norm"}


def listed(service: Service) -> Any:
    """The document of `runs`."""
    return contract.strict(contract.gzip.decompress(service.runs(SCOPE).packed))


class Slow(SampleSource):
    """Takes a moment for every read, and counts how many happen at once."""

    def __init__(self, *histories: RunHistory) -> None:
        super().__init__(*histories)
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def history(self, scope: Scope, run: str) -> RunHistory:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.05)
        with self._lock:
            self.at_once -= 1
        return super().history(scope, run)


def test_fifty_clients_and_a_cold_cache() -> None:
    source = Slow(healthy(), explodes(), *(trained(f"r{i}", records=50) for i in range(6)))
    client_of = build(source)
    everyone = threading.Barrier(50)
    about = [
        f"{PREFIX}/{route}?{urlencode(given)}"
        for run in ("mlp/healthy", "mlp/explodes")
        for route, given in {
            "runs": {}, "findings": {"run": run}, "series": {"run": run}, "layers": {"run": run},
            "heatmap": {"run": run, "group": "variables", "metric": "update_ratio"},
        }.items()
    ]

    def ask(number: int) -> tuple[str, bytes]:
        where = about[number % len(about)]
        everyone.wait()
        response = Client(client_of).get(where)
        assert response.status_code == 200
        return where, response.get_data()

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(ask, range(50)))
    # On a slow machine the time of a list may be up before all runs have been read.
    while Client(client_of).get(f"{PREFIX}/runs").get_json()["pending"]:
        pass
    assert sorted(source.reads) == sorted(source.histories)  # each run once
    assert source.most_at_once <= LIMITS.concurrent_reads
    same: dict[str, set[bytes]] = {}
    for where, body in replies:
        if "/runs" not in where:  # which runs are still pending may differ
            same.setdefault(where, set()).add(body)
    assert {len(bodies) for bodies in same.values()} == {1}


def test_many_runs_are_read_once_each_where_no_history_can_be_kept() -> None:
    """Each for all who ask about it: ten runs in turn would be read for every single answer."""
    source = Slow(*(trained(f"r{i}", records=50) for i in range(10)))
    service = Service(source, limits=replace(LIMITS, history_bytes=0, concurrent_reads=1))
    everyone = threading.Barrier(50)

    def ask(number: int) -> None:
        run, which = f"r{number % 10}", number // 10
        everyone.wait()
        if which == 0:
            service.findings(SCOPE, run)
        elif which == 1:
            service.layers(SCOPE, run)
        else:
            service.series(SCOPE, run, 100 * which)

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(ask, range(50)))
    assert {source.reads.count(f"r{i}") for i in range(10)} <= {1, 2}
    assert len(source.reads) < 15


def test_a_listing_does_not_wait_for_runs_that_others_look_at() -> None:
    count = LIMITS.concurrent_runs + 1
    source = SampleSource(*(trained(f"r{i}", records=20) for i in range(count)))
    service = Service(source, limits=replace(LIMITS, runs_seconds=0.2))
    keys = [RunKey("", name, version.digest) for name, version in source.versions(SCOPE).items()]
    with contextlib.ExitStack() as looked_at:
        for key in keys[:-1]:
            looked_at.enter_context(service._runs.queue.at(key, 0.0))
        found = listed(service)
        assert [entry["run"] for entry in found["runs"] if entry["severity"] == "pending"] == [
            keys[-1].run
        ]
    assert listed(service)["pending"] == 0


def test_few_runs_are_replayed_at_the_same_time() -> None:
    """All at once they would all be late; so the first are answered while the last wait."""
    histories = [trained(f"r{i}", records=20) for i in range(8)]
    lock = threading.Lock()
    at_once: list[int] = [0, 0]

    def follow(history: RunHistory, diagnosis: RunDiagnosis) -> RunDiagnosis:
        with lock:
            at_once[0] += 1
            at_once[1] = max(at_once)
        time.sleep(0.03)
        with lock:
            at_once[0] -= 1
        return diagnosis

    service = Service(SampleSource(*histories), follow=follow)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(service.findings, Scope(None, ""), one.run) for one in histories]
        assert len({answer.result().etag for answer in asked}) == 8
    assert at_once[1] == LIMITS.concurrent_replays


def test_one_broken_run_hides_no_other_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = SampleSource(healthy(), explodes())
    source.failing["bad"] = RuntimeError("secret /home/someone/path")
    now = 100.0
    service = Service(source, clock=lambda: now)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            found = listed(service)
            with pytest.raises(RefusedError) as refused:
                service.findings(SCOPE, "bad")
            assert refused.value.status == 503
            assert "secret" not in refused.value.message
    contract.check_runs(found)
    states = {entry["run"]: entry["severity"] for entry in found["runs"]}
    assert states == {"bad": "unknown", "mlp/healthy": "healthy", "mlp/explodes": "critical"}
    assert source.reads.count("bad") == 1  # not tried again at once
    logged = [record for record in caplog.records if "bad" in record.getMessage()]
    assert len(logged) == 1
    assert logged[0].exc_info is not None
    # After a while it is tried again, and may have become readable.
    now += LIMITS.failure_seconds + 1
    source.histories["bad"] = replace(healthy(), run="bad")
    del source.failing["bad"]
    assert service.findings(SCOPE, "bad")


def test_a_diagnosis_that_raises_costs_that_run_only(caplog: pytest.LogCaptureFixture) -> None:
    from tb_convergence.core.diagnosis import diagnose_history  # noqa: PLC0415

    def diagnose(history: RunHistory) -> Any:
        if history.run == "mlp/explodes":
            raise ZeroDivisionError
        return diagnose_history(history)

    client = Client(build(SampleSource(healthy(), explodes())))
    service = Service(SampleSource(healthy(), explodes()), diagnose, clock=lambda: 0.0)
    found = listed(service)
    errors_ = {entry["run"]: entry["error"] for entry in found["runs"]}
    assert errors_["mlp/healthy"] is None
    assert "ZeroDivisionError" in (errors_["mlp/explodes"] or "")
    # What does not need the diagnosis is still there.
    assert service.series(SCOPE, "mlp/explodes", 100)
    assert client.get(f"{PREFIX}/findings?run=mlp/explodes").status_code == 200


def test_runs_are_examined_newest_first_until_the_time_is_used_up() -> None:
    source = SampleSource(*(RunHistory(f"run{i}") for i in range(10)))
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.1  # the source says nothing takes long; the clock says otherwise
        return now

    service = Service(source, clock=clock, limits=replace(LIMITS, runs_seconds=0.35))
    left = []
    while not left or left[-1]:
        found = listed(service)
        contract.check_runs(found)
        assert [entry["run"] for entry in found["runs"]] == sorted(source.histories)
        left.append(found["pending"])
        assert len(left) < 10
    assert len(left) > 2
    assert left == sorted(left, reverse=True)
    assert source.reads == [f"run{i}" for i in reversed(range(10))]


def test_a_run_that_disappears_is_404_and_the_others_stay() -> None:
    source = SampleSource(healthy(), explodes())
    client = Client(build(source))
    del source.histories["mlp/explodes"]
    assert "any more" in contract.error(client.get(f"{PREFIX}/findings?run=mlp/explodes"), 404)
    assert len(contract.document(client.get(f"{PREFIX}/runs"))["runs"]) == 1
    # Gone between being listed and being read.
    source.failing["late"] = KeyError("never read")
    source.failing.pop("late")
    listed = source.versions

    def stale(scope: Scope, run: str | None = None) -> Any:
        return {**listed(scope, run), "late": next(iter(listed(scope).values()))}

    source.versions = stale  # type: ignore[method-assign]
    assert "any more" in contract.error(client.get(f"{PREFIX}/series?run=late"), 404)
    entries = contract.examined_runs(client)["runs"]
    assert "no longer exists" in next(e for e in entries if e["run"] == "late")["error"]


@pytest.mark.parametrize("where", ["versions", "history"])
def test_a_data_server_that_is_gone_is_503_until_it_is_back(where: str) -> None:
    source = SampleSource(healthy())
    client = Client(build(source))
    works = getattr(source, where)

    def gone(*_: Any) -> Any:
        raise UnavailableError("TensorBoard's data server does not answer; try again")

    setattr(source, where, gone)
    for route in ("runs", "findings?run=mlp/healthy", "layers?run=mlp/healthy"):
        response = client.get(f"{PREFIX}/{route}")
        assert "does not answer" in contract.error(response, 503)
        assert response.headers["Retry-After"] == "2"
    setattr(source, where, works)
    for route in ("runs", "findings?run=mlp/healthy", "layers?run=mlp/healthy"):
        assert client.get(f"{PREFIX}/{route}").status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.PermissionDeniedError("not yours"), 403),
        (errors.UnauthenticatedError("who?", challenge="Digest"), 401),
        (errors.NotFoundError("no experiment"), 404),
    ],
)
def test_tensorboard_s_own_refusals_pass(error: errors.PublicError, status: int) -> None:
    source = SampleSource(healthy())
    client = Client(build(source))

    def refuse(*_: Any) -> Any:
        raise error

    source.versions = refuse  # type: ignore[method-assign]
    response = client.get(f"{PREFIX}/runs")
    assert str(error) in contract.error(response, status)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


def test_clients_that_never_read_their_reply_hold_nobody_up() -> None:
    app = build(SampleSource(healthy()))
    where = f"{PREFIX}/heatmap?{urlencode(HEAT)}"
    unread = [Client(app).get(where, buffered=False) for _ in range(100)]
    assert {response.status_code for response in unread} == {200}
    assert Client(app).get(where).status_code == 200
    for response in unread:
        response.close()


def test_memory_of_histories_is_bounded() -> None:
    source = SampleSource(*(replace(large(40, 500), run=f"r{i}") for i in range(6)))
    one = 500 * 40 * 16 * 4 * 2
    service = Service(source, limits=replace(LIMITS, history_bytes=3 * one), clock=lambda: 0.0)
    service.runs(SCOPE)
    assert service._runs.histories.total <= 3 * one
    assert 0 < len(service._runs.histories) < 6
    # The diagnoses of all of them are remembered: listing again reads nothing.
    reads = len(source.reads)
    service.runs(SCOPE)
    assert len(source.reads) == reads
