"""Requests that mean nothing: each is refused with a message, and none breaks anything."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from tb_convergence.serving.parameters import RefusedError, Text, Whole, parse
from tests.serving import contract
from tests.serving.contract import PREFIX, ROUTES
from tests.serving.samples import SampleSource

LONG = "x" * 100_000
HEAT = {"run": "mlp/healthy", "group": "variables", "metric": "gradient_norm"}
LAYER = {"run": "mlp/healthy", "group": "variables", "row": "0"}

REFUSED: dict[str, tuple[str, str, int, str]] = {
    "no run": ("findings", "", 400, "'run' is missing"),
    "empty run": ("findings", "run=", 400, "'run' is empty"),
    "run without =": ("findings", "run", 400, "'run' is empty"),
    "run twice": ("findings", "run=mlp/healthy&run=empty", 400, "'run' is given more than once"),
    "same run twice": ("series", "run=empty&run=empty", 400, "'run' is given more than once"),
    "unknown run": ("findings", "run=nobody", 404, "no run 'nobody'"),
    "run of a prototype": ("layers", "run=__proto__", 404, "no run '__proto__'"),
    "100 kB run": ("findings", f"run={LONG}", 400, "at most"),
    "100 kB elsewhere": ("findings", f"run=empty&other={LONG}", 400, "at most"),
    "10 kB run": ("findings", f"run={LONG[:10_000]}", 400, "10000 characters"),
    "invalid UTF-8": ("findings", "run=%ff%fe", 400, "not valid UTF-8"),
    "lone surrogate": ("findings", "run=%ed%a0%80", 400, "not valid UTF-8"),
    "overlong UTF-8": ("findings", "run=%c0%af", 400, "not valid UTF-8"),
    "NUL": ("findings", "run=a%00b", 404, "no run 'a\\x00b'"),
    "newline": ("findings", "run=a%0d%0aSet-Cookie:x", 404, "a\\r\\nSet-Cookie"),
    "markup": ("findings", "run=<script>", 404, "'<script>'"),
    "path": ("findings", "run=../../etc/passwd", 404, "no run"),
    "other letters": ("series", "run=mlp/Healthy", 404, "no run"),
    "points of a word": ("series", "run=empty&points=many", 400, "'points' must be a whole number"),
    "points empty": ("series", "run=empty&points=", 400, "'points'"),
    "points 0": ("series", "run=empty&points=0", 400, "from 10 to 2000, not '0'"),
    "points 2001": ("series", "run=empty&points=2001", 400, "'points'"),
    "points -5": ("series", "run=empty&points=-5", 400, "'points'"),
    "points 1e2": ("series", "run=empty&points=1e2", 400, "'points'"),
    "points NaN": ("series", "run=empty&points=NaN", 400, "'points'"),
    "points 10^400": ("series", "run=empty&points=1" + "0" * 400, 400, "'points'"),
    "points in other digits": ("series", f"run=empty&points={quote('١٠٠')}", 400, "'points'"),
    "points with a blank": ("series", "run=empty&points=+100", 400, "'points'"),
    "points with underscore": ("series", "run=empty&points=1_0", 400, "'points'"),
    "points twice": ("series", "run=empty&points=10&points=10", 400, "more than once"),
    "width 0": ("heatmap", urlencode({**HEAT, "width": 0}), 400, "'width'"),
    "width 2001": ("heatmap", urlencode({**HEAT, "width": 2001}), 400, "'width'"),
    "no group": ("heatmap", "run=mlp/healthy&metric=loss", 400, "'group' is missing"),
    "no metric": ("heatmap", "run=mlp/healthy&group=variables", 400, "'metric' is missing"),
    "unknown group": ("heatmap", urlencode({**HEAT, "group": "x"}), 404, "no group 'x'"),
    "group of the run": ("heatmap", urlencode({**HEAT, "group": "run"}), 404, "no group 'run'"),
    "unknown metric": ("heatmap", urlencode({**HEAT, "metric": "x"}), 404, "no metric 'x'"),
    "group of another run": ("layer", urlencode({**LAYER, "run": "empty"}), 404, "no group"),
    "no row": ("layer", "run=mlp/healthy&group=variables", 400, "'row' is missing"),
    "row -1": ("layer", urlencode({**LAYER, "row": -1}), 400, "'row'"),
    "row too large": ("layer", urlencode({**LAYER, "row": 12}), 404, "has 12 rows"),
    "row of no histogram": (
        "histogram", urlencode({**LAYER, "row": 12}), 404, "has 12 rows"),
    "width of a histogram": (
        "histogram", urlencode({**LAYER, "width": 2001}), 400, "'width'"),
    "row huge": ("layer", urlencode({**LAYER, "row": 10**9}), 400, "'row'"),
    "offset -1": ("runs", "offset=-1", 400, "'offset'"),
    "unreadable run": ("findings", "run=broken", 503, "could not be read (ValueError)"),
}


@pytest.mark.parametrize(
    ("route", "query", "status", "message"), REFUSED.values(), ids=list(REFUSED)
)
def test_refused(client: Client, route: str, query: str, status: int, message: str) -> None:
    response = client.get(f"{PREFIX}/{route}?{query}")
    assert message in contract.error(response, status)
    assert ("Retry-After" in response.headers) == (status == 503)


def test_quoted_values_are_cut() -> None:
    with pytest.raises(RefusedError) as refused:
        parse("points=" + "9" * 5_000, (Whole("points", 10, 2000, 10),))
    assert "9" * 40 in refused.value.message
    assert len(refused.value.message) < 200


def test_what_is_accepted() -> None:
    declared = (Text("run"), Whole("points", 10, 2000, 1000))
    for query, expected in {
        "run=a": ("a", 1000),
        "points=0010&run=a": ("a", 10),
        "run=a+b%2Bc%26d%3De&points=2000": ("a b+c&d=e", 2000),
        "run=%F0%9F%A6%9C": ("🦜", 1000),
        "run=.": (".", 1000),
        "x&run=a&&=&tensorBoardFeatureFlags={}": ("a", 1000),
        "%72un=a": ("a", 1000),
        "run=a=b": ("a=b", 1000),
    }.items():
        values = parse(query, declared)
        assert (values.texts["run"], values.numbers["points"]) == expected, query


def test_offsets_beyond_the_end_are_an_empty_page(client: Client) -> None:
    runs = contract.document(client.get(f"{PREFIX}/runs?offset=1000"))
    assert (runs["runs"], runs["next_offset"]) == ([], None)
    layers = contract.document(client.get(f"{PREFIX}/layers?run=mlp/healthy&offset=1000"))
    assert [group["rows"] for group in layers["groups"]] == [[], [], []]
    assert layers["next_offset"] is None


NAMES = st.sampled_from(["run", "group", "metric", "row", "points", "width", "offset", "x", ""])
GOOD = st.sampled_from(
    ["mlp/healthy", "empty", "hostile/<script>alert('run')</script>&\"'", "scalars/only",
     "keras/histograms", "variables", "activations", "run", "gradient_norm", "update_ratio",
     "check", "0", "1", "3", "11", "12", "10", "600", "2000", "-1", "NaN", "1e3"]
)
VALUES = st.one_of(
    GOOD.map(quote),
    st.text(max_size=30).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
    st.binary(max_size=20).map(quote),
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    route=st.sampled_from(ROUTES),
    pairs=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
)
def test_nothing_in_a_query_breaks_a_route(
    client: Client, route: str, pairs: list[tuple[str, str]], method: str
) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    environ = {"QUERY_STRING": query}
    response = client.open(f"{PREFIX}/{route}", method=method, environ_overrides=environ)
    assert response.status_code in {200, 400, 404}, response.get_data()
    contract.headers(response)
    if method == "HEAD":
        assert response.get_data() == b""
    elif response.status_code != 200:
        contract.error(response, response.status_code)
    elif route == "heatmap":
        contract.heat_map(response)
    else:
        contract.document(response)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), route=st.sampled_from(["series", "heatmap", "layer", "layers"]))
def test_any_valid_request_keeps_the_contract(
    client: Client, samples: SampleSource, data: Any, route: str
) -> None:
    run = data.draw(st.sampled_from(sorted(samples.histories)))
    groups = [g for g in samples.histories[run].tables if g not in {"run", "epoch"}]
    points = data.draw(st.integers(10, 2000))
    asked: dict[str, Any] = {"run": run}
    if route in {"heatmap", "layer"}:
        if not groups:
            return
        asked["group"] = data.draw(st.sampled_from(groups))
        table = samples.histories[run].tables[asked["group"]]
    if route == "heatmap":
        asked["metric"] = data.draw(st.sampled_from(table.columns))
        asked["width"] = data.draw(st.integers(1, 2000))
        contract.heat_map(client.get(f"{PREFIX}/heatmap?{urlencode(asked)}"))
        return
    if route == "layer":
        asked["row"] = data.draw(st.integers(0, len(table.rows) - 1))
    if route != "layers":
        asked["points"] = points
    found = contract.document(client.get(f"{PREFIX}/{route}?{urlencode(asked)}"))
    if route == "series":
        contract.check_series(found, points)
    elif route == "layer":
        contract.check_layer(found, points)
    else:
        contract.check_layers(found)
