"""Reads the plugin's flags from TensorBoard's command line.

Nothing here raises: a typo in a flag must not disable the tab.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Final

from tb_convergence import rule_plugins
from tb_convergence.reading import TagPatternError, TagRule, parse_tags
from tb_convergence.reading.sampling import MOST_KEPT

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")


def told_tags(flags: Any) -> tuple[TagRule, ...]:
    """The rules of `--convergence_tags`; none, and an error in the log, where they are wrong."""
    text = getattr(flags, "convergence_tags", "")
    try:
        return parse_tags(text) if isinstance(text, str) else ()
    except TagPatternError as error:
        _logger.error("convergence: --convergence_tags is ignored: %s", error)
        return ()


def load_rules(flags: Any) -> None:
    """Add the rules of installed packages and of `--convergence_rules`; what fails is logged."""
    rule_plugins.load_installed()
    named = getattr(flags, "convergence_rules", "")
    if isinstance(named, str):
        rule_plugins.load_files(path.strip() for path in named.split(",") if path.strip())


def logdir_of(flags: Any) -> object:
    """The log directory; None if runs have names of their own (`--logdir_spec`)."""
    return None if getattr(flags, "logdir_spec", "") else getattr(flags, "logdir", None)


def most_kept(flags: Any) -> Mapping[str, Collection[int]]:
    """Points TensorBoard keeps of a series at most, by plugin: `--samples_per_plugin`."""
    chosen = getattr(flags, "samples_per_plugin", None)
    if not isinstance(chosen, Mapping):
        return MOST_KEPT
    return {
        plugin: (chosen[plugin],) if isinstance(chosen.get(plugin), int) else known
        for plugin, known in MOST_KEPT.items()
    }
