"""Rules from outside: of installed packages, and of files that the user names.

A package offers rules through the entry-point group `tb_convergence.rules`; a file is named by
`--rules FILE` (command line) or `--convergence_rules FILE` (TensorBoard). Either gives a module
with `RULE` or `RULES`, or these themselves. The rules join the catalogue of this process and are
shown as our own are. docs/rules.md has an example.

A rule is code. Only the user names it: nothing in a log directory can.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Final

from tb_convergence.core import rules as catalogue
from tb_convergence.core.diagnosis.catalogue import CatalogueError
from tb_convergence.core.diagnosis.rule import Rule

GROUP: Final = "tb_convergence.rules"
_LOCK: Final = threading.RLock()
_FILES: Final[dict[Path, tuple[Rule, ...]]] = {}
_INSTALLED: Final[set[str]] = set()

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")


class RuleFileError(ValueError):
    """The file of rules cannot be used; the message says why and what to do."""


def load_file(path: str | os.PathLike[str]) -> tuple[Rule, ...]:
    """Run the Python file `path` and add its rules; a file that was loaded is not run again.

    Raises:
        RuleFileError: there is no such file, it raises, it defines no rule, or one of its rules
            names something that does not exist.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise RuleFileError(f"{str(path)!r} is not a file: name a Python file that defines RULE")
    file = file.resolve()
    with _LOCK:
        if file not in _FILES:
            _FILES[file] = _added(_rules_in(_run(file), str(path)), str(path))
        return _FILES[file]


def load_files(paths: Iterable[str]) -> None:
    """As `load_file`, for TensorBoard: a file that cannot be used costs an error in the log."""
    for path in paths:
        try:
            load_file(path)
        except RuleFileError as error:
            _logger.error("convergence: rules are ignored: %s", error)


def load_installed() -> None:
    """Add the rules of installed packages, once per process; a package that fails is logged."""
    with _LOCK:
        for point in entry_points(group=GROUP):
            if point.value in _INSTALLED:
                continue
            _INSTALLED.add(point.value)
            try:
                _added(_rules_in(point.load(), point.value), point.value)
            except Exception as error:
                _logger.error(
                    "convergence: the rules %r of an installed package are ignored: %s: %s",
                    point.name, type(error).__name__, error,
                )


def files() -> tuple[str, ...]:
    """Files whose rules were added in this process, for processes that it starts."""
    return tuple(map(str, _FILES))


def _run(file: Path) -> ModuleType:
    name = f"tb_convergence_rules_{file.stem}_{len(_FILES)}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise RuleFileError(f"{str(file)!r} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and `explain` look a module up by its name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RuleFileError(f"{str(file)!r} raised {type(error).__name__}: {error}") from error
    return module


def _rules_in(found: object, place: str) -> tuple[Rule, ...]:
    if isinstance(found, ModuleType):
        several = getattr(found, "RULES", None)
        found = getattr(found, "RULE", ()) if several is None else several
    rules = (found,) if isinstance(found, Rule) else found
    if not isinstance(rules, (tuple, list)) or not rules:
        raise RuleFileError(f"{place!r} defines no rule: set RULE = Rule(...), or RULES = (...)")
    for rule in rules:
        if not isinstance(rule, Rule):
            raise RuleFileError(f"{place!r}: {str(rule)[:80]!r} in RULES is not a Rule")
    return tuple(rules)


def _added(rules: tuple[Rule, ...], place: str) -> tuple[Rule, ...]:
    try:
        return catalogue.add(rules)
    except CatalogueError as error:
        raise RuleFileError(f"{place!r}: {error}") from error
