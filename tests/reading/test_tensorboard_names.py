"""Private names of TensorBoard: all in one place, and all there. Each says what is lost without it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tb_convergence
from tb_convergence.reading.tensorboard.compat import PRIVATE_NAMES, PrivateName

PACKAGE = Path(tb_convergence.__file__).parent
OURS = PACKAGE / "reading" / "tensorboard"
MODULES = sorted({*(PACKAGE / "reading").rglob("*.py"), *(PACKAGE / "serving").rglob("*.py")})


@pytest.mark.parametrize("one", PRIVATE_NAMES, ids=lambda one: f"{one.module}.{one.name}")
def test_each_is_there(one: PrivateName) -> None:
    assert one.exists(), f"{one.module} has no {one.name} any more: {one.lost}"


@pytest.mark.parametrize("gone", ["no_such_module.x", "json.nothing", "json.JSONDecoder()._gone"])
def test_what_is_gone_is_noticed(gone: str) -> None:
    module, _, attribute = gone.partition(".")
    assert not PrivateName(module, attribute, "").exists()


def foreign_private_names(tree: ast.AST) -> Iterator[str]:
    """Private attributes of anything but `self`, `cls` and what is private in the module itself."""
    own = {
        node.name for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.startswith("_")
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        if node.attr.startswith("__") or node.attr in own:
            continue
        if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
            continue
        yield f"{ast.unparse(node)} (line {node.lineno})"


@pytest.mark.parametrize(
    "module", [one for one in MODULES if OURS not in one.parents],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_nothing_outside_uses_one(module: Path) -> None:
    assert list(foreign_private_names(ast.parse(module.read_text(encoding="utf-8")))) == []


def test_a_private_name_is_seen() -> None:
    assert list(foreign_private_names(ast.parse("provider._stub.ReadTensors()"))) != []
    assert list(foreign_private_names(ast.parse("self._stub.ReadTensors()"))) == []
