"""What a person says of histograms travels with the request, and only with the request."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from tensorboard.plugins import base_plugin
from werkzeug.test import Client

from tb_convergence.reading import open_logdir
from tb_convergence.serving.flags import most_kept, told_tags
from tb_convergence.serving.loader import ConvergenceLoader
from tb_convergence.serving.plugin import ConvergencePlugin
from tests.reading.event_files import EventFile
from tests.serving import contract
from tests.serving.contract import PREFIX

GRADIENTS = quote("gradients={v}")
WEIGHTS = quote("weights={v}")


def ask(client: Client, route: str, tags: str = "", **given: str) -> Any:
    """The reply about the only run, by the names of routes in docs/http_api.md."""
    query = "&".join(f"{name}={value}" for name, value in given.items())
    found = client.get(f"/{route}?run=.&{query}" + (f"&tags={tags}" if tags else ""))
    return contract.document(found)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A run of histograms that are named by their variable, and of others."""
    with EventFile(tmp_path) as file:
        for step in range(20):
            for tag, end in (("fc1.weight", 0.9**step), ("blob/thing_1", 1.0)):
                rows = np.array([[-end, 0.0, 4.0], [0.0, end, 5.0]])
                file.tensor(tag, step, rows, plugin="histograms")
    return tmp_path


def clients(provider: Any, flag: str = "") -> dict[str, Client]:
    flags = SimpleNamespace(convergence_tags=flag, samples_per_plugin={})
    context = base_plugin.TBContext(data_provider=provider, flags=flags)
    apps = ConvergencePlugin(context).get_plugin_apps()
    return {route: Client(apps[f"/{route}"]) for route in contract.ROUTES}


def test_the_question_and_each_answer(bare: Path) -> None:
    with open_logdir(bare) as source:
        server = clients(source.provider)
        asked = ask(server["findings"], "findings")
        contract.check_findings(asked)
        assert [(one["pattern"], one["why"], one["role"]) for one in asked["tag_families"]] == [
            ("{v}", "either", None), ("blob/{v}", "unknown", None),
        ]
        assert ask(server["layers"], "layers")["groups"] == []
        for tags, role, metric in (
            (GRADIENTS, "gradient", "gradient_norm"), (WEIGHTS, "variable", "variable_norm"),
        ):
            told = ask(server["findings"], "findings", tags)
            assert told["tag_families"][0] == {
                "pattern": "{v}", "why": "user", "role": role, "count": 1,
                "examples": ["fc1.weight"],
            }
            (group,) = ask(server["layers"], "layers", tags)["groups"]
            assert metric in {one["name"] for one in group["metrics"]}
            layer = ask(server["layer"], "layer", tags, group="variables", row="0")
            assert metric in {column["name"] for column in layer["columns"]}
            heat = server["heatmap"].get(
                f"/heatmap?run=.&group=variables&metric={metric}&tags={tags}"
            )
            assert contract.heat_map(heat).header["rows"] == 1
            assert "gradient" in str(told["not_evaluated"]) or role == "gradient"
        # Nothing is remembered of it but by it.
        assert ask(server["findings"], "findings") == asked
        assert ask(server["layers"], "layers")["groups"] == []


def test_the_flag_is_what_a_request_does_not_say(bare: Path) -> None:
    with open_logdir(bare) as source:
        server = clients(source.provider, "neither=blob/{v}, gradients={v}")
        said = ask(server["findings"], "findings")["tag_families"]
        assert [(one["pattern"], one["role"]) for one in said] == [
            ("blob/{v}", "neither"), ("{v}", "gradient"),
        ]
        said = ask(server["findings"], "findings", WEIGHTS)["tag_families"]
        assert [(one["pattern"], one["role"], one["count"]) for one in said] == [
            ("{v}", "variable", 1), ("blob/{v}", "neither", 1), ("{v}", "gradient", 0),
        ]
        runs = contract.document(server["runs"].get(f"/runs?tags={WEIGHTS}"))
        contract.check_runs(runs)
        assert runs["runs"][0]["sources"] == ["histograms"]


@pytest.mark.parametrize(("tags", "message"), [
    ("dW", "'tags': 'dW': expected loss=TAG"),
    ("gradients=dW", "'tags': pattern 'dW': expected braces"),
    ("gradients={v}," * 40, "at most 32"),
    ("gradients={v}" + "x" * 2_000, "at most 2000"),
    ("%ff", "not valid UTF-8"),
    ("", "empty"),
])
@pytest.mark.parametrize("route", ["runs", "findings", "layer"])
def test_a_slip_of_the_pen_is_refused(
    client: Client, route: str, tags: str, message: str
) -> None:
    raw = tags if tags == "%ff" else quote(tags)
    rest = {"runs": "", "findings": "&run=mlp/healthy",
            "layer": "&run=mlp/healthy&group=variables&row=0"}[route]
    response = client.get(f"{PREFIX}/{route}?tags={raw}{rest}")
    assert message in contract.error(response, 400)


def test_a_wrong_flag_costs_a_line_in_the_log_and_nothing_else(
    bare: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_logdir(bare) as source:
        server = clients(source.provider, "gradients=dW")
        assert [one["role"] for one in ask(server["findings"], "findings")["tag_families"]] == [
            None, None,
        ]
    (line,) = caplog.records
    assert "--convergence_tags is ignored: pattern 'dW'" in line.getMessage()


def test_the_flag_is_defined_and_never_in_the_way() -> None:
    parser = ArgumentParser()
    ConvergenceLoader().define_flags(parser)
    assert parser.parse_args([]).convergence_tags == ""
    assert parser.parse_args(["--convergence_tags=a={v}"]).convergence_tags == "a={v}"
    assert "convergence_tags" in parser.format_help()
    ConvergenceLoader().define_flags(parser)  # a second time it is there already
    ConvergenceLoader().define_flags(None)
    for flags in (None, SimpleNamespace(), SimpleNamespace(convergence_tags=None)):
        assert told_tags(flags) == ()


@pytest.mark.parametrize(("chosen", "kept"), [
    ({}, {"histograms": (100, 500), "scalars": (1000,)}),
    ({"scalars": 7, "images": 1}, {"histograms": (100, 500), "scalars": (7,)}),
    ({"histograms": 0}, {"histograms": (0,), "scalars": (1000,)}),
    (None, {"histograms": (100, 500), "scalars": (1000,)}),
])
def test_how_much_is_kept_is_known_from_the_flags(chosen: Any, kept: Any) -> None:
    assert most_kept(SimpleNamespace(samples_per_plugin=chosen)) == kept
