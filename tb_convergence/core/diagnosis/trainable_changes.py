"""Variables that a training froze, unfroze or added on the way, in sentences.

Such a change explains a jump of the loss or a row that ends. The recorder writes it into the
configuration (`trainable_changes`), which is untrusted: whatever is malformed is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.phrases import listed

MOST: Final = 20
"""Changes that are told, the latest ones; the recorder keeps as many."""

LONGEST: Final = 120
"""Characters of the path of a variable, from its end."""


def trainable_changes(history: RunHistory) -> tuple[str, ...]:
    """One sentence for each change, in the order of the training; empty if none was recorded."""
    recorded = history.config.get("trainable_changes")
    items = recorded[-MOST:] if isinstance(recorded, list) else []
    return tuple(filter(None, (_sentence(item) for item in items)))


def _sentence(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    step = item.get("step")
    if not isinstance(step, int) or isinstance(step, bool):
        return ""
    added, gone = _names(item.get("now_trained")), _names(item.get("no_longer_trained"))
    parts = [f"no longer trains {gone}"] if gone else []
    parts += [f"also trains {added}"] if added else []
    return f"From step {step:,} on, the run {' and '.join(parts)}." if parts else ""


def _names(value: Any) -> str:
    paths = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
    # The first part of a path is the model, which a run's reader knows.
    short = [(path.partition("/")[2] or path)[-LONGEST:] for path in paths]
    return listed(short, noun="variable") if short else ""
