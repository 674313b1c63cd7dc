"""The options of live findings, checked before the training begins.

A training without live findings never imports the rules, because the import takes half a second of
the three that recording a short training may cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.core.diagnosis import Finding
    from tb_convergence.training.host.live import Live

OnFinding = Callable[["Finding"], Any]


def wanted(
    log_dir: str,
    live: bool,
    on_finding: OnFinding | None,
    stop_on: Collection[str],
    stop: Callable[[], None],
    overhead: float,
    rules: Sequence[str] = (),
) -> Live | None:
    """A `Live` where anything was asked of one; None if not."""
    if not (live or on_finding is not None or stop_on or rules):
        return None
    from tb_convergence import rule_plugins  # noqa: PLC0415 - see above
    from tb_convergence.training.host.live import Live  # noqa: PLC0415

    rule_plugins.load_installed()
    for path in rules:  # loaded before, except in a process that got a copy of the callback
        rule_plugins.load_file(path)
    return Live(
        log_dir, on_finding=on_finding, stop_on=stop_on, stop=stop, overhead=overhead
    )


def checked_rules(rules: Any) -> tuple[str, ...]:
    """Paths of files of rules, once their rules are in force.

    Raises:
        TypeError: `rules` is one path, or not a list of paths.
        RuleFileError: a file cannot be used; a `ValueError`.
    """
    if isinstance(rules, (str, os.PathLike)):
        raise TypeError(f"rules is {rules!r}; expected a list of files, such as [{str(rules)!r}]")
    # Whole paths: the program may change its directory before it trains.
    paths = tuple(os.path.abspath(os.path.expanduser(path)) for path in rules or ())
    if paths:
        from tb_convergence import rule_plugins  # noqa: PLC0415 - see above

        for path in paths:
            rule_plugins.load_file(path)
    return paths


def checked_live(on_finding: Any, stop_on: Any) -> frozenset[str]:
    """`stop_on` as a set.

    Raises:
        TypeError: `on_finding` cannot be called, or `stop_on` is one text.
        ValueError: `stop_on` names neither a severity nor a diagnosis.
    """
    if on_finding is not None and not callable(on_finding):
        raise TypeError(f"on_finding is {on_finding!r}; expected a function of one finding")
    if isinstance(stop_on, str):
        raise TypeError(f"stop_on is {stop_on!r}; expected a set, such as {{{stop_on!r}}}")
    chosen = frozenset(stop_on or ())
    if not chosen:
        return chosen
    from tb_convergence import rule_plugins  # noqa: PLC0415 - see above
    from tb_convergence.core.diagnosis.finding import SEVERITIES  # noqa: PLC0415
    from tb_convergence.core.rules import in_force  # noqa: PLC0415

    rule_plugins.load_installed()
    known = {*SEVERITIES, *(rule.id for rule in in_force())}
    unknown = sorted(str(item) for item in chosen - known)
    if unknown:
        close = get_close_matches(unknown[0], known, 1)
        raise ValueError(
            f"stop_on has {unknown[0]!r}; expected severities ({', '.join(SEVERITIES)}) or ids of "
            f"diagnoses{f' (did you mean {close[0]!r}?)' if close else ''}. To use custom rules, "
            "name their files in rules=[...]"
        )
    return chosen
