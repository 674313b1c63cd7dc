"""docs/faults.md and SECURITY.md name tests that exist, and every fault has one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTS = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|frontend)/[^`:]+::[^`]+)`", FAULTS + SECURITY)))
ROWS = [
    row for row in re.findall(r"^\| ([FHT]\d+)? ?\| (.+) \|$", FAULTS, re.MULTILINE)
    if not row[1].startswith("fault |")
]


@cache
def named_in(path: Path) -> set[str]:
    """Names of the tests in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".mjs":
        return set(re.findall(r'^test\("([^"]+)"', text, re.MULTILINE))
    return {
        node.name for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert name in named_in(ROOT / path)


def test_every_fault_has_a_test() -> None:
    known = [f"F{n}" for n in range(1, 29)] + [f"H{n}" for n in range(1, 26)]
    known += [f"T{n}" for n in range(1, 26)]
    assert [name for name, _ in ROWS if name] == known
    for name, row in ROWS:
        assert "::" in row.rpartition("|")[2], name or row
