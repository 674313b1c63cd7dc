"""Detects that the set of trained variables changed: layers frozen, unfrozen, or given LoRA.

Such a change explains a jump of the loss or a row that ends, and nothing else in a record tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

MOST_CHANGES: Final = 20
"""Changes that are kept, the latest ones."""

MOST_NAMES: Final = 20
"""Variables that are named in each list of a change."""


class TrainableChanges:
    """Compares the trainable variables of a model with those of the last look.

    Attributes:
        found: the changes, as plain data: the step that was to come, and the paths of variables
            that are trained since and no longer.
    """

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._model: Any = None
        self._trained: dict[int, str] = {}

    def look(self, model: Any, step: int) -> bool:
        """Before `step`: whether something has changed since the last look at this model.

        A model that had no variables then, because it was not built, has not changed.
        """
        trained = {id(variable): str(variable.path) for variable in model.trainable_variables}
        before, known = self._trained, model is self._model
        self._model, self._trained = model, trained
        if not known or not before or trained.keys() == before.keys():
            return False
        self.found.append(
            {
                "step": step,
                "now_trained": _names(trained[k] for k in trained if k not in before),
                "no_longer_trained": _names(before[k] for k in before if k not in trained),
            }
        )
        del self.found[:-MOST_CHANGES]
        return True


def _names(paths: Iterable[str]) -> list[str]:
    return list(paths)[:MOST_NAMES]
