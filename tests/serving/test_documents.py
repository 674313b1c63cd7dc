"""docs/http_api.md says what the code does, and the examples in docstrings hold."""

from __future__ import annotations

import doctest
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import tb_convergence.serving
from tb_convergence.serving.limits import LIMITS, Limits
from tb_convergence.serving.routes import ROUTES
from tests.serving import contract

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "http_api.md").read_text(encoding="utf-8")
MODULES = sorted(path.stem for path in Path(tb_convergence.serving.__path__[0]).glob("[a-z]*.py"))


def test_every_route_and_parameter_is_documented() -> None:
    documented = dict(re.findall(r"^## `(\w+)(?:\?([^`]*))?`", DOCUMENT, re.MULTILINE))
    offered = {
        route.path.strip("/"): "&".join(f"{parameter.name}=" for parameter in route.parameters)
        for route in ROUTES
    }
    assert documented == offered
    assert set(offered) == set(contract.ROUTES)


def test_every_limit_is_documented_with_its_value() -> None:
    documented = dict(re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", DOCUMENT, re.MULTILINE))
    assert documented == {
        field.name: f"{getattr(LIMITS, field.name):,}" for field in fields(Limits)
    }
    assert Limits.__doc__ is not None
    for field in fields(Limits):
        assert re.search(rf"\b{field.name}\b", Limits.__doc__), field.name


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    outcome = doctest.testmod(import_module(f"tb_convergence.serving.{name}"))
    assert outcome.failed == 0
