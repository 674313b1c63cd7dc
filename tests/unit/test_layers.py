"""The layers of docs/architecture.md hold: who may import whom, and what nobody may call."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tb_convergence"
NUMBERS = {"numpy", "google.protobuf"}
SERVER = NUMBERS | {"tensorboard", "werkzeug", "grpc"}
TRAINER = NUMBERS | {"tensorboard", "tensorflow", "keras"}

ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "core": ({"core"}, NUMBERS),
    "training": ({"core", "training", "rule_plugins"}, TRAINER),
    "experiments": ({"core", "training", "experiments"}, TRAINER | {"matplotlib", "cleanlab"}),
    "keras": ({"training"}, set()),
    "v1": ({"training"}, set()),
    "reading": ({"core", "reading", "rule_plugins"}, SERVER | {"pandas"}),
    "serving": ({"core", "reading", "rule_plugins", "serving"}, SERVER),
    "cli": ({"cli", "core", "reading", "rule_plugins", "demo", "experiments"}, {"numpy"}),
    "demo": ({"demo", "keras"}, {"numpy", "keras", "sklearn"}),
    "rule_plugins": ({"core"}, set()),
    "__main__": ({"cli"}, set()),
    "__init__": ({"core", "reading", "training", "experiments"}, set()),
}
"""Part of the package -> other parts, and third-party modules, that it may import. The package's
own `__init__` (written as "__init__") is open to all: it loads nothing by itself."""

MODULES = sorted(PACKAGE.rglob("*.py"))
FRONTEND = sorted((ROOT / "frontend" / "src").rglob("*.js"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names a module imports anywhere: statements, and `import_module` of a literal.

    "from a.b import c" counts as "a.b.c", because c may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer: write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            yield from (
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _called(node: ast.Call) -> str:
    """Last part of the name of what is called: "load" in `numpy.load(...)`."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def violations(part: str, names: Iterator[str]) -> list[str]:
    """Those of the imported `names` that the part of the package may not import."""
    parts, modules = ALLOWED[part]
    wrong = []
    for name in names:
        top, _, below = name.partition(".")
        if top == "tb_convergence":
            target = below.split(".")[0]
            if target in ALLOWED and target not in parts:
                wrong.append(name)
        elif top not in sys.stdlib_module_names and not f"{name}.".startswith(_prefixes(modules)):
            wrong.append(name)
    return wrong


def _prefixes(modules: set[str]) -> tuple[str, ...]:
    return tuple(f"{module}." for module in modules)


def part_of(module: Path) -> str:
    """First folder below the package, or the file's own name."""
    inside = module.relative_to(PACKAGE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_layers(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    part = part_of(module)
    assert part in ALLOWED, f"{part!r} is no part docs/architecture.md knows: add it there and here"
    assert violations(part, imports(tree)) == []


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("core", "from tb_convergence import training"),
        ("core", "import tensorboard.util"),
        ("core", "def f():\n    import keras.ops"),
        ("serving", "from tb_convergence.training.instep.recorder import Recorder"),
        ("training", "import tb_convergence.serving.limits"),
        ("reading", "from importlib import import_module\nimport_module('tensorflow')"),
        ("cli", "import tensorflow as tf"),
        ("reading", "from tb_convergence.keras import ConvergenceCallback"),
    ],
)
def test_a_crossing_is_seen(part: str, source: str) -> None:
    assert len(violations(part, imports(ast.parse(source)))) == 1


TRAINING: dict[str, set[str]] = {
    "instep": {"instep"},
    "host": {"instep", "host"},
    "keras": {"instep", "host", "keras"},
    "loops": {"instep", "host", "keras", "loops"},
}
"""Folder of `training` -> folders of it that it may import; `keras.compat` is open to all."""


@pytest.mark.parametrize("folder", TRAINING)
def test_the_folders_of_training_point_one_way(folder: str) -> None:
    wrong = []
    for module in sorted((PACKAGE / "training" / folder).rglob("*.py")):
        for name in imports(ast.parse(module.read_text(encoding="utf-8"))):
            parts = name.split(".")
            if parts[:2] != ["tb_convergence", "training"] or parts[2:4] == ["keras", "compat"]:
                continue
            if parts[2] not in TRAINING[folder]:
                wrong.append(f"{module.name}: {name}")
    assert wrong == []


def test_the_loader_imports_only_the_standard_library_and_the_base_class() -> None:
    """What it imports at its top level; `load` imports the plugin, inside a `try`."""
    tree = ast.parse((PACKAGE / "serving" / "loader.py").read_text(encoding="utf-8"))
    top = ast.Module([node for node in tree.body if not isinstance(node, ast.ClassDef)], [])
    foreign = {name for name in imports(top) if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {"tensorboard.plugins.base_plugin"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import tb_convergence", ("tensorflow", "tensorboard", "keras", "numpy")),
        ("import tb_convergence.demo", ("tensorflow", "keras", "sklearn")),
        ("import tb_convergence.experiments", ("tensorflow", "keras", "numpy")),
        ("import tb_convergence.cli", ("tensorflow", "tensorboard", "keras")),
        ("import tb_convergence.reading.logdir", ("tensorflow", "keras")),
        ("import tb_convergence.serving.loader", ("tensorflow", "keras")),
        ("import tb_convergence.serving.plugin", ("tensorflow", "keras")),
    ],
)
def test_importing_loads_no_more_than_it_must(statement: str, absent: tuple[str, ...]) -> None:
    program = f"import sys\n{statement}\nprint(*[m for m in {absent!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


BANNED_CALLS = {"eval", "exec", "compile", "__import__", "load_model", "unsafe_load"}
BANNED_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "cloudpickle"}
HARMLESS_CALLS = {"re.compile", "model.compile"}


def dangers(tree: ast.AST) -> list[str]:
    """Ways to run what a file or a request contains."""
    found = [name for name in imports(tree) if name.split(".")[0] in BANNED_MODULES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            full = ast.unparse(node.func)
            if _called(node) in BANNED_CALLS and full not in HARMLESS_CALLS and not _safe(node):
                found.append(full)
            found += [
                f"{full}(allow_pickle)"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle"
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
            ]
            found += [f"{full}(shell)" for keyword in node.keywords if keyword.arg == "shell"]
    return found


def _safe(node: ast.Call) -> bool:
    """Whether Keras is told, by a literal, to run nothing that a model's file contains."""
    return _called(node) == "load_model" and any(
        keyword.arg == "safe_mode"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in node.keywords
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_read_is_ever_run(module: Path) -> None:
    assert dangers(ast.parse(module.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "import pickle",
        "from yaml import load",
        "numpy.load(f, allow_pickle=True)",
        "tf.keras.models.load_model(path)",
        "keras.saving.load_model(path, safe_mode=False)",
        "keras.saving.load_model(path, safe_mode=safe)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_a_danger_is_seen(source: str) -> None:
    assert len(dangers(ast.parse(source))) == 1


BANNED_SCRIPT = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|unsafeHTML|unsafeSVG|unsafeStatic"
    r"|eval|new\s+Function|srcdoc|javascript:|createContextualFragment|DOMParser)\b"
    # In markup these are inline, which a strict policy refuses: `.style=` and `@click=` are not.
    r"""|\s(style|on[a-z]+)=["$]"""
)


def test_the_page_never_makes_markup_or_code_from_text() -> None:
    assert FRONTEND, "no sources of the page found"
    found = []
    for path in FRONTEND:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = re.sub(r"^\s*(//|\*|/\*).*", "", line)
            if BANNED_SCRIPT.search(code):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def test_the_page_talks_to_no_other_host() -> None:
    """Relative addresses only: no font, script or beacon from elsewhere."""
    found = []
    for path in [*FRONTEND, *sorted((ROOT / "frontend" / "src").rglob("*.css"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            loads = re.search(
                r"(fetch|import|url|src|EventSource|WebSocket)\b.{0,9}https?://", line
            )
            if loads:
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert found == []


PAGE_LAYERS: dict[str, set[str]] = {
    "format": set(),
    "host": set(),
    "charts": {"format", "data"},
    "data": {"format", "charts"},
    "state": {"format", "data"},
    "model": {"format", "charts", "data", "host", "state"},
    "export": {"format", "charts", "data", "model", "state"},
    "experiments": {"format", "charts", "export"},
    "landscape": {"format", "charts"},
    "views": {
        "format", "charts", "data", "experiments", "export", "host", "landscape", "model", "state",
    },
}
"""Folder of the page -> others whose code it may import; the files beside them may import all.
`charts` (how to draw) and `data` (what to draw) know each other; types may come from anywhere."""

PAGE_EXCEPTIONS: set[str] = {
    "charts/flags.js -> views",
    "charts/heat.js -> state",
    "data/wanted.js -> state",
    "host/later.js -> handlers",
    "model/map.js -> views",
    "model/time.js -> views",
}
"""Imports against the direction that are left: file and folder. None may be added."""


def page_imports(text: str) -> Iterator[str]:
    """Folders that a module's code imports from; imports in comments are of types."""
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for address in re.findall(r"""(?:from|import\()\s*["']\.\./([\w/]+)\.js["']""", code):
        yield address.partition("/")[0] if "/" in address else "handlers"


def page_crossings(folder: str, text: str) -> list[str]:
    return [part for part in page_imports(text) if part not in PAGE_LAYERS[folder] | {folder}]


def test_the_page_follows_its_layers() -> None:
    found = set()
    for path in FRONTEND:
        inside = path.relative_to(ROOT / "frontend" / "src")
        if len(inside.parts) > 1:
            assert inside.parts[0] in PAGE_LAYERS, f"{inside.parts[0]} is no folder of the page"
            crossings = page_crossings(inside.parts[0], path.read_text(encoding="utf-8"))
            found |= {f"{inside} -> {part}" for part in crossings}
    assert found <= PAGE_EXCEPTIONS, found - PAGE_EXCEPTIONS


@pytest.mark.parametrize(
    ("folder", "text", "seen"),
    [
        ("format", 'import { a } from "../views/a.js";', ["views"]),
        ("data", 'const a = await import("../views/a.js");', ["views"]),
        ("state", '/** @import { A } from "../views/a.js" */', []),
        ("views", 'import { a } from "../state/a.js";', []),
    ],
)
def test_a_crossing_in_the_page_is_seen(folder: str, text: str, seen: list[str]) -> None:
    assert page_crossings(folder, text) == seen


LONGEST_TEST_MODULE = 600
"""Lines. A longer module covers more than one topic: split it."""


def test_test_modules_are_short() -> None:
    modules = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "frontend" / "test").rglob("*.*js")]
    assert len(modules) > 200
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_TEST_MODULE} == {}
