"""What TensorBoard imports at start-up: the entry point of group `tensorboard_plugins`.

An exception here, or in the two flag hooks, would stop TensorBoard for everyone who has this
package installed. So this module imports the standard library and TensorBoard's base class only,
and its hooks never raise.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from tensorboard.plugins import base_plugin

RECORDS: Final = 2_000
"""Records that TensorBoard keeps of each of our tags. Its own defaults, 10 with one loader and 100
with the other, would drop most of a run; the recorder writes about this many."""

_TAGS_HELP: Final = (
    "What histograms and scalars with ambiguous names are: rules separated by commas, as in "
    "gradients=dW/{v},variables=W/{v}, where {v} is the variable's name."
)

_RULES_HELP: Final = (
    "Python files with custom rules, separated by commas; see docs/rules.md. TensorBoard runs this "
    "code, so name only files that you trust."
)

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")


class ConvergenceLoader(base_plugin.TBLoader):  # type: ignore[misc]
    """Loads the plugin; if that fails, TensorBoard runs without it."""

    def define_flags(self, parser: Any) -> None:
        """Add our flags. What they are given is judged when the plugin is loaded."""
        try:
            group = parser.add_argument_group("convergence plugin")
            group.add_argument(
                "--convergence_tags", metavar="RULES", type=str, default="", help=_TAGS_HELP
            )
            group.add_argument(
                "--convergence_rules", metavar="FILES", type=str, default="", help=_RULES_HELP
            )
        except Exception as error:
            _logger.warning(
                "convergence: --convergence_tags and --convergence_rules are unavailable (%s)",
                error,
            )

    def fix_flags(self, flags: Any) -> None:
        """Ask TensorBoard to keep `RECORDS` records, unless the user chose a number.

        And keep one unreadable record from ending its reading of all runs: the thread that reads
        starts before plugins are loaded.
        """
        try:
            from tb_convergence.reading.tensorboard.reload_guard import (  # noqa: PLC0415
                guard_reloading,
            )

            guard_reloading()
        except Exception as error:
            _logger.warning(
                "convergence: one damaged record can stop TensorBoard's Python loader (%s)", error
            )
        try:
            chosen = flags.samples_per_plugin
            if isinstance(chosen, dict):
                # A new dictionary: the one given may belong to the program that starts TensorBoard.
                flags.samples_per_plugin = {"convergence": RECORDS, **chosen}
        except Exception as error:
            _logger.warning(
                "convergence: TensorBoard keeps its default number of records (%s)", error
            )

    def load(self, context: Any) -> Any:
        """The plugin, or None if it cannot be loaded."""
        try:
            from tb_convergence.serving.plugin import ConvergencePlugin  # noqa: PLC0415

            return ConvergencePlugin(context)
        except Exception as error:
            _logger.error(
                "convergence: the plugin cannot be loaded and is left out: %s: %s",
                type(error).__name__,
                error,
            )
            return None
