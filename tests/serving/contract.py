"""docs/http_api.md as checks, written from the document and not from the code.

Every function takes a decoded reply and raises AssertionError where it departs from the contract.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
import struct
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse

from tb_convergence.serving.experiments import SHAPES

PREFIX = "/data/plugin/convergence"
ROUTES = ("runs", "findings", "series", "layers", "heatmap", "layer", "histogram",
          "compare", "difference", "experiments", "landscapes", "landscape")
MOST_BYTES = 1_000_000
SIDES = {"more than", "less than", "at least", "at most", "exactly", "other than", None}
NONFINITE = {"NaN", "Infinity", "-Infinity"}


def strict(text: bytes | str) -> Any:
    """`text` as JSON: no NaN, no Infinity, no repeated key, no integer a browser would round."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"bare {constant}")

    def whole(digits: str) -> int:
        assert abs(int(digits)) <= 2**53, digits
        return int(digits)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(items)) == len(items), "repeated key"
        return dict(items)

    return json.loads(text, parse_constant=refuse, parse_int=whole, object_pairs_hook=pairs)


def document(response: TestResponse, status: int = 200) -> Any:
    """The JSON document of a response with the headers every reply has."""
    assert response.status_code == status, response.get_data()[:300]
    headers(response)
    assert response.content_type == "application/json"
    body = plain(response)
    assert len(body) <= MOST_BYTES
    found = strict(body)
    assert found["schema"] == 1
    return found


def error(response: TestResponse, status: int) -> str:
    """The message of a refusal."""
    found = document(response, status)
    assert found.keys() == {"schema", "error"}
    assert found["error"].keys() == {"message"}
    message = found["error"]["message"]
    assert isinstance(message, str)
    assert 0 < len(message) < 400
    assert "Traceback" not in message
    assert "/home/" not in message
    return message


def headers(response: TestResponse) -> None:
    """What every reply carries, and what none may."""
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-cache" in response.headers["Cache-Control"]
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


def plain(response: TestResponse) -> bytes:
    """The body, decompressed where it was compressed."""
    body = response.get_data()
    return gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body


def check_step(value: Any) -> int:
    """An integer, as a string beyond 2^53."""
    if isinstance(value, str):
        assert abs(int(value)) > 2**53
        return int(value)
    assert type(value) is int
    return value


def check_steps(values: list[Any]) -> list[int]:
    """Strictly increasing."""
    steps = [check_step(value) for value in values]
    assert all(a < b for a, b in itertools.pairwise(steps))
    return steps


def check_number(value: Any) -> None:
    """A finite number or null."""
    assert value is None or (type(value) in {int, float} and math.isfinite(value)), value


def keys(found: dict[str, Any], wanted: str) -> None:
    """Exactly the fields the document names."""
    assert set(found) == set(wanted.split()), set(found) ^ set(wanted.split())


def check_runs(found: dict[str, Any]) -> None:
    """`runs`"""
    keys(found, "schema version total pending next_offset runs")
    assert found["next_offset"] is None or type(found["next_offset"]) is int
    assert found["pending"] == sum(entry["severity"] == "pending" for entry in found["runs"])
    for entry in found["runs"]:
        keys(
            entry,
            "run source_runs last_step severity verdict first counts sources sampled axis loss "
            "latest_seconds settings health experiments error",
        )
        check_step(entry["last_step"])
        assert entry["severity"] in {
            "critical", "warning", "info", "healthy", "unknown", "pending"
        }
        assert entry["counts"].keys() == {"critical", "warning", "info"}
        worst = next((s for s, n in entry["counts"].items() if n), None)
        assert entry["severity"] == worst or worst is None
        assert (entry["first"] is None) == (sum(entry["counts"].values()) == 0)
        assert (entry["verdict"] is None) == (
            entry["severity"] == "pending" or entry["error"] is not None
        )
        if entry["verdict"]:
            check_verdict(entry["verdict"])
            sick = entry["severity"] in {"critical", "warning"}
            assert (entry["verdict"]["state"] == "sick") == sick
        if entry["first"]:
            keys(entry["first"], "id kind title rule_title first_step layers layer_count")
            check_step(entry["first"]["first_step"])
            assert len(entry["first"]["layers"]) <= min(3, entry["first"]["layer_count"])
        assert entry["axis"] in {"step", "batch", "epoch"}
        assert entry["loss"] is None or isinstance(entry["loss"], float) or (
            entry["loss"] in NONFINITE
        )
        assert entry["latest_seconds"] is None or isinstance(entry["latest_seconds"], float)
        assert len(entry["settings"]) <= 40
        assert all(len(name) <= 200 and len(text) <= 80 for name, text in entry["settings"].items())
        assert re.fullmatch(r"([.01234abcdni]{48})?", entry["health"])
        assert type(entry["experiments"]) is int
        assert set(entry["sources"]) <= {"recorder", "histograms", "scalars"}
        if entry["sampled"] is not None:
            keys(entry["sampled"], "kept total exact")
            assert entry["sampled"]["kept"] < entry["sampled"]["total"]
        assert entry["error"] is None or isinstance(entry["error"], str)


def check_verdict(found: dict[str, Any]) -> None:
    """`verdict`, wherever it stands"""
    keys(found, "state decided applicable why")
    assert found["state"] in {"sick", "nothing-found", "not-decided", "too-early"}
    assert 0 <= found["decided"] <= found["applicable"]
    assert found["why"].endswith(".")


def examined_runs(client: Client, **given: str) -> dict[str, Any]:
    """The document of `runs`, asked for until no run is pending, as the page does."""
    for _ in range(100):
        found: dict[str, Any] = document(client.get(f"{PREFIX}/runs?{urlencode(given)}"))
        check_runs(found)
        if not found["pending"]:
            return found
    raise AssertionError("runs stay pending")


def check_findings(found: dict[str, Any]) -> None:
    """`findings`"""
    keys(
        found,
        "schema run last_step axis loss_summary course verdict fix_first findings evaluated "
        "not_evaluated skipped tag_families scalars earlier_trainings trainable_changes sampled "
        "recipes config restarts shortened",
    )
    for family in found["tag_families"]:
        keys(family, "pattern why role count examples")
        assert family["why"] in {"user", "either", "both", "operation", "unknown"}
        assert (family["role"] is None) == (family["why"] != "user")
        assert family["role"] in {None, "gradient", "variable", "neither"}
        assert len(family["examples"]) <= family["count"]
    for scalar in found["scalars"]:
        keys(scalar, "tag run role use higher_is_better")
        assert scalar["use"] in {"read", "part", "told", "spare", "asked"}
    for training in found["earlier_trainings"]:
        keys(training, "first_step last_step began ended tags")
    for recipe in found["recipes"]:
        keys(recipe, "title lines")
        assert len(recipe["lines"]) == 2
    check_verdict(found["verdict"])
    check_step(found["last_step"])
    assert found["axis"] in {"step", "batch", "epoch"}
    assert type(found["shortened"]) is bool
    assert type(found["loss_summary"]) is str
    assert found["fix_first"] in {None, *(one["id"] for one in found["findings"])}
    for finding in found["findings"]:
        keys(
            finding,
            "id kind severity confidence guess title summary first_step last_step layers "
            "layer_count evidence explains explained_by advice falsified_by references "
            "reported_step recovered_step experiment shows command tested",
        )
        assert 0 <= finding["confidence"] <= 1
        assert len(finding["layers"]) <= finding["layer_count"]
        assert type(finding["guess"]) is bool
        for item in finding["evidence"]:
            keys(item, "statistic name value limit step layer row kind side unit of")
            assert item["of"]
            assert all(isinstance(name, str) for name in item["of"])
            assert item["side"] in SIDES
            assert item["side"] is None or item["limit"] is not None
            assert item["unit"] in (None, "fraction")
            assert type(item["value"]) in {int, float} or item["value"] in NONFINITE
    for item in found["not_evaluated"]:
        keys(item, "id needs")
    for item in found["skipped"]:
        keys(item, "tag step reason")
        assert item["step"] is None or check_step(item["step"]) is not None


def check_marks(marks: list[Any], values: list[Any]) -> None:
    """`nonfinite`: where `values` are null because they are not finite."""
    assert [index for index, _ in marks] == sorted({index for index, _ in marks})
    for index, name in marks:
        assert name in NONFINITE
        assert values[index] is None


def check_series(found: dict[str, Any], points: int) -> None:
    """`series`"""
    keys(found, "schema run series")
    names = [line["name"] for line in found["series"]]
    assert len(set(names)) == len(names)
    for line in found["series"]:
        keys(
            line,
            "name title symbol unit scale axis source steps values wall_times nonfinite",
        )
        assert line["axis"] in {"step", "epoch", "batch"}
        assert line["scale"] in {"log10", "linear"}
        assert 0 < len(line["steps"]) <= points
        assert len(line["steps"]) == len(line["values"]) == len(line["wall_times"])
        check_steps(line["steps"])
        for value in line["values"] + line["wall_times"]:
            check_number(value)
        check_marks(line["nonfinite"], line["values"])


def check_row(row: dict[str, Any]) -> None:
    """A row as `layers` and `layer` give it."""
    keys(row, "name layer kind shape dtype activation initializer")
    assert len(row["name"]) <= 500
    assert len(row["layer"]) <= 500


def check_layers(found: dict[str, Any]) -> None:
    """`layers`"""
    keys(found, "schema run next_offset groups")
    for group in found["groups"]:
        keys(group, "group exact records total row_count rows metrics")
        assert group["group"] not in {"run", "epoch"}
        assert len(group["rows"]) <= group["row_count"]
        for row in group["rows"]:
            check_row(row)
        for metric in group["metrics"]:
            keys(metric, "name title symbol unit scale worst summary center healthy")
            check_number(metric["center"])
            check_healthy(metric["healthy"])


def check_layer(found: dict[str, Any], points: int) -> None:
    """`layer`"""
    keys(found, "schema run group row exact axis initialization steps wall_times columns")
    assert found["axis"] in {"step", "epoch"}
    check_initialization(found["initialization"])
    check_row(found["row"])
    assert len(check_steps(found["steps"])) == len(found["wall_times"]) <= points
    for column in found["columns"]:
        keys(column, "name title symbol unit scale healthy low high nonfinite")
        check_healthy(column["healthy"])
        assert (column["high"] is None) == found["exact"]
        for values in (column["low"], column["high"] or column["low"]):
            assert len(values) == len(found["steps"])
            for value in values:
                check_number(value)
        check_marks(column["nonfinite"], column["low"])


def check_healthy(band: dict[str, Any] | None) -> None:
    """A band, open on one side at most."""
    if band is None:
        return
    keys(band, "low high rule")
    ends = [end for end in (band["low"], band["high"]) if end is not None]
    assert ends
    assert ends == sorted(ends)
    assert isinstance(band["rule"], str)


def check_initialization(found: dict[str, Any] | None) -> None:
    """How a variable started."""
    if found is None:
        return
    keys(found, "step low high mean expected fans verdict healthy")
    check_step(found["step"])
    assert 0 <= found["low"] <= found["high"]
    check_number(found["mean"])
    if found["expected"] is None:
        assert found["verdict"] == ""
    else:
        keys(found["expected"], "std formula")
        assert found["expected"]["std"] >= 0
        assert found["verdict"] in {"as expected", "narrower", "wider"}
    assert found["fans"] is None or len(found["fans"]) == 2
    check_healthy(found["healthy"])


def check_histogram(found: dict[str, Any], width: int) -> None:
    """`histogram`"""
    keys(found, "schema run group row histograms")
    check_row(found["row"])
    roles = [one["of"] for one in found["histograms"]]
    assert roles == [one for one in ("magnitude", "gradient", "variable") if one in roles]
    for one in found["histograms"]:
        keys(one, "of axis records first_steps last_steps codes bands")
        assert one["axis"] in {"step", "epoch"}
        first, last = check_steps(one["first_steps"]), check_steps(one["last_steps"])
        assert 0 < len(first) == len(last) == len(one["codes"]) <= min(width, one["records"])
        assert all(a <= b for a, b in zip(first, last, strict=True))
        assert [band["share"] for band in one["bands"]] == [1, 0.9, 0.5, 0]
        outer = None
        for band in one["bands"]:
            keys(band, "share low high")
            assert len(band["low"]) == len(band["high"]) == len(first)
            for cell, (low, high) in enumerate(zip(band["low"], band["high"], strict=True)):
                check_number(low)
                check_number(high)
                assert (low is None) == (high is None)
                assert low is not None or one["codes"][cell] != 0
                if low is not None:
                    assert low <= high
                    # A band holds those of smaller shares.
                    assert outer is None or outer["low"][cell] <= low
                    assert outer is None or high <= outer["high"][cell]
            outer = band


def check_compare(found: dict[str, Any]) -> None:
    """`compare`"""
    keys(
        found,
        "schema run with last_steps axes settings findings shared loss diverges_at differences "
        "difference_count groups shortened",
    )
    assert len([check_step(step) for step in found["last_steps"]]) == len(found["axes"]) == 2
    assert set(found["axes"]) <= {"step", "batch", "epoch"}
    for setting in found["settings"] or ():
        keys(setting, "name first second")
        assert setting["first"] != setting["second"]
    said = {"critical", "warning", "info", "none", "not evaluated"}
    for part, equal in (("findings", False), ("shared", True)):
        for change in found[part]:
            keys(change, "id title first second first_step second_step")
            assert {change["first"], change["second"]} <= said
            assert (change["first"] == change["second"]) == equal
    if found["loss"] is not None:
        keys(
            found["loss"],
            "first second orders last_step diverges_at compared largest_gap_steps axis one_kind",
        )
    assert len(found["differences"]) <= min(200, found["difference_count"])
    for item in found["differences"]:
        keys(
            item,
            "statistic first_row second_row first second exact orders since_step compared",
        )
        assert type(item["orders"]) in {int, float} or item["orders"] in NONFINITE
    for group in found["groups"]:
        keys(group, "group paired_by partners")
        partners = [partner for partner in group["partners"] if partner is not None]
        assert len(set(partners)) == len(partners), "a row has two partners"
        assert group["paired_by"] in ({"name", "place", "role"} if partners else {None})


class HeatMap:
    """A heat map, decoded with nothing but `struct` and lists."""

    common = "schema run group metric rows cells first_steps last_steps minimum maximum"
    fields = f"{common} bands row_bands"
    infinite = False
    """Whether a value may be infinite."""

    def __init__(self, body: bytes) -> None:
        (length,) = struct.unpack_from("<I", body)
        self.header = strict(body[4 : 4 + length])
        keys(self.header, self.fields)
        if "bands" in self.header:
            self._check_bands(self.header["bands"], self.header["row_bands"])
        rows, cells = self.header["rows"], self.header["cells"]
        assert rows * cells <= 200_000
        start = (4 + length + 3) // 4 * 4
        assert set(body[4 + length : start]) <= {0}
        end = start + 4 * rows * cells
        assert len(body) == end + rows * cells
        flat = struct.unpack_from(f"<{rows * cells}f", body, start)
        codes = body[end:]
        self.values = [flat[r * cells : (r + 1) * cells] for r in range(rows)]
        self.codes = [list(codes[r * cells : (r + 1) * cells]) for r in range(rows)]
        first, last = self.header["first_steps"], self.header["last_steps"]
        assert len(check_steps(first)) == len(check_steps(last)) == cells
        assert all(check_step(a) <= check_step(b) for a, b in zip(first, last, strict=True))
        self._check_codes(flat, codes)

    def _check_bands(self, bands: list[dict[str, Any]], by_row: list[int]) -> None:
        for band in bands:
            check_healthy(band)
        assert len(by_row) == (self.header["rows"] if bands else 0)
        assert {place for place in by_row if place >= 0} == set(range(len(bands)))
        assert all(place >= -1 for place in by_row)

    def _check_codes(self, flat: tuple[float, ...], codes: bytes) -> None:
        plain = []
        for value, code in zip(flat, codes, strict=True):
            assert code in {0, 1, 2, 3}
            assert self.infinite or not math.isinf(value)
            assert code != 0 or not math.isnan(value)
            assert code != 1 or math.isnan(value)
            if code == 0 and not math.isinf(value):
                plain.append(value)
        for name, pick in (("minimum", min), ("maximum", max)):
            end = self.header[name]
            if plain:
                # As float32, and by value: 0.0 and -0.0 are both the smallest of the two.
                assert struct.unpack("<f", struct.pack("<f", end)) == (pick(plain),)
            else:
                assert end is None


class DifferenceMap(HeatMap):
    """The same of two runs."""

    fields = f"{HeatMap.common} with paired_by scale"

    def __init__(self, body: bytes) -> None:
        self.infinite = b'"scale":"log10"' in body
        super().__init__(body)
        assert self.header["scale"] in {"log10", "linear"}


def heat_map(response: TestResponse) -> HeatMap:
    """The heat map of a response."""
    return HeatMap(_binary(response))


def difference_map(response: TestResponse) -> DifferenceMap:
    """The difference of two heat maps in a response."""
    return DifferenceMap(_binary(response))


def _binary(response: TestResponse) -> bytes:
    assert response.status_code == 200, response.get_data()[:300]
    headers(response)
    assert response.content_type == "application/octet-stream"
    return plain(response)


LISTED = {
    "name", "model", "loss", "directions", "batch_norm", "samples", "evaluations", "grid_points",
    "end_loss", "complete", "seconds", "step", "wall_time", "planes", "dimensions",
}


def check_experiments(found: dict[str, Any]) -> None:
    """`experiments`"""
    keys(found, "schema run total experiments")
    assert len(found["experiments"]) <= found["total"]
    for one in found["experiments"]:
        keys(one, "kind summary step wall_time verdicts data")
        check_step(one["step"])
        for verdict in one["verdicts"]:
            keys(verdict, "finding title outcome reason")
            assert verdict["outcome"] in {"confirmed", "refuted", "undecided"}
        if one["data"] is not None:
            fits(one["data"], SHAPES[one["kind"]])


def fits(value: Any, shape: Any) -> None:
    """Whether a part of `data` is what the documentation of its kind says."""
    if isinstance(shape, dict):
        if value is not None:
            assert value.keys() == shape.keys()
            for name, part in shape.items():
                fits(value[name], part)
    elif isinstance(shape, list):
        assert isinstance(value, list)
        for item in value:
            fits(item, shape[0])
    elif shape == "number":
        check_number(value)
    else:
        assert isinstance(value, {"text": str, "flag": bool}[shape])


def check_landscapes(found: dict[str, Any]) -> None:
    """`landscapes`"""
    assert found.keys() == {"schema", "run", "landscapes", "skipped"}
    for one in found["landscapes"]:
        assert set(one) == LISTED
        assert one["dimensions"] in (1, 2)
        assert one["planes"] >= 1
    assert all(item.keys() == {"tag", "reason"} for item in found["skipped"])


def check_landscape(found: dict[str, Any]) -> None:
    """`landscape`"""
    assert found.keys() == {"schema", "run", "step", "wall_time", "titles", "landscape"}
    assert all(title.keys() == {"title", "share"} for title in found["titles"].values())
    landscape = found["landscape"]
    for plane in landscape["planes"]:
        size = len(plane["x"]) * (1 if plane["y"] is None else len(plane["y"]))
        assert all(len(values) == size for values in plane["values"].values())
        assert "loss" in plane["values"]
