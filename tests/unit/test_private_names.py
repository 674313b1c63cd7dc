"""Private names of Keras, TensorFlow, and TensorBoard are in two places, and nowhere else.

Each has a canary test there: `tests/training/test_compat.py` and
`tests/reading/test_tensorboard_names.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "tb_convergence"
COMPAT = PACKAGE / "training" / "keras" / "compat.py"
TENSORBOARD = PACKAGE / "reading" / "tensorboard"
MODULES = [
    path for path in sorted(PACKAGE.rglob("*.py"))
    if path != COMPAT and TENSORBOARD not in path.parents
]
INTERNAL = ("keras.src", "tensorflow.python")


def private(name: str) -> bool:
    return name.isidentifier() and name[0] == "_" and name[:2] != "__" and name != "_"


def own_names(tree: ast.AST) -> set[str]:
    """Private names that a module defines: functions, classes, attributes that it sets."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def compat_names(tree: ast.AST) -> set[str]:
    """Private names that the Keras compatibility module spells out, as attributes or as text."""
    attributes = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    texts = {n.value for n in ast.walk(tree)
             if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {name for name in attributes | texts if private(name)}


KERAS_NAMES = compat_names(ast.parse(COMPAT.read_text(encoding="utf-8")))


def foreign_names(tree: ast.AST) -> Iterator[str]:
    """Private names of others: attributes, internal modules, and names in quotes."""
    own = own_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.".startswith(tuple(f"{top}." for top in INTERNAL)) or (
                    private(alias.name) and not str(node.module).startswith("tb_convergence")
                ):
                    yield f"{node.lineno}: {node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from (
                f"{node.lineno}: {alias.name}" for alias in node.names
                if alias.name.startswith(INTERNAL)
            )
        elif isinstance(node, ast.Constant) and node.value in KERAS_NAMES - own:
            yield f"{node.lineno}: {node.value!r}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_are_nowhere_else(module: Path) -> None:
    assert list(foreign_names(ast.parse(module.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    [
        "model._flatten_layers()",
        "getattr(layer, '_trainable_variables', ())",
        "from keras.src.backend.common import global_state",
        "from tensorflow.python.eager import context",
        "import tensorflow.python",
        "from tensorboard.data.server_ingester import _maybe_read_file",
        "provider._stub.ReadTensors()",
        "NAMES = ('loss', '_compile_loss')",
    ],
)
def test_a_private_name_is_seen(source: str) -> None:
    assert len(list(foreign_names(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "self._events.close()",
        "class A:\n    def _f(self, other): return other._f",
        "def __init__(self): self._x = 1\ndef f(other): return other._x",
        "name.endswith('_fraction')",
        "from tb_convergence.core.rules import _private",
    ],
)
def test_names_of_ours_are_not(source: str) -> None:
    assert list(foreign_names(ast.parse(source))) == []


def test_the_names_of_keras_are_known() -> None:
    assert {"_flatten_layers", "_compile_metrics", "_noinline"} <= KERAS_NAMES
