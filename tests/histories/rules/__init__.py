"""Series of rules, one module per rule: a run on which it fires, and one on which it must not.

`tools/new_rule.py` writes a module; it serves the rule's tests and its worked example in the
documentation. A module defines SCENE (a sentence: what the user did), `fires()` and `silent()`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from tb_convergence.core.history import RunHistory


@dataclass(frozen=True)
class Case:
    """The series of one rule.

    Attributes:
        scene: what the user did, in a sentence.
        fires: a run that has the fault.
        silent: a run just below the limit.
    """

    scene: str
    fires: Callable[[], RunHistory]
    silent: Callable[[], RunHistory]


def cases() -> dict[str, Case]:
    """Cases by the id of their rule."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        one = import_module(f"{__name__}.{module.name}")
        found[module.name.replace("_", "-")] = Case(one.SCENE, one.fires, one.silent)
    return found
