"""Requests with bodies that are not looked at, and clocks that are not believed."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest
from werkzeug.test import Client

from tests.serving import contract
from tests.serving.contract import PREFIX, ROUTES
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource, trained


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "x" * 500])
@pytest.mark.parametrize("body", [gzip.compress(bytes(10**7)), b"\x1f\x8b torn", b"{}"])
def test_no_body_is_decompressed_or_read(client: Client, encoding: str, body: bytes) -> None:
    where = f"{PREFIX}/findings?run=mlp/healthy"
    plain = client.get(where).get_data()
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    assert client.get(where, headers=headers, data=body).get_data() == plain


@pytest.mark.parametrize("route", ROUTES)
def test_no_other_page_may_read_a_reply(client: Client, route: str) -> None:
    """Whatever origin asks: nothing allows it, and asking changes nothing."""
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    before = client.get(f"{PREFIX}/runs").get_data()
    response = client.get(f"{PREFIX}/{route}", headers=headers)
    contract.headers(response)
    assert client.open(f"{PREFIX}/{route}", method="OPTIONS", headers=headers).status_code == 405
    assert client.get(f"{PREFIX}/runs").get_data() == before


@pytest.mark.parametrize("clock", [np.nan, np.inf, -1e300, 1e300, 5e-324, 0.0, -1.0])
def test_a_clock_that_cannot_be_is_no_time(clock: float) -> None:
    """Steps order the points; a time that no calendar has is sent as null."""
    history = trained("r", layers=2, records=30)
    table = history.tables["run"]
    times = table.wall_times.copy()
    times[7] = clock
    tables = {**history.tables, "run": replace(table, wall_times=times)}
    client = Client(build(SampleSource(replace(history, tables=tables))))
    found = contract.document(client.get(f"{PREFIX}/series?run=r"))
    contract.check_series(found, 1_000)
    loss = next(line for line in found["series"] if line["name"] == "loss")
    assert loss["steps"] == table.steps.tolist()
    shown = loss["wall_times"][7]
    assert shown is None or abs(shown) < 1e12
    assert None not in loss["wall_times"][:7] + loss["wall_times"][8:]
