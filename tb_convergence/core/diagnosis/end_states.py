"""The lasting state that a fault leaves a run in, as one sentence: the loss alone may not show it.

Each rule names the state that it saw. The card of the cause that explains them, which is read
first, describes these states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import listed

NO_GRADIENT: Final = "no kernel gets a gradient"
ONE_OUTPUT: Final = "the output is the same for every input"
_AFTER: Final = {NO_GRADIENT: 1, ONE_OUTPUT: 2}
"""Order of states that begin at the same step; dead units have 0."""


@dataclass(frozen=True, slots=True)
class EndState:
    """A state that lasts until the end of the run.

    Attributes:
        what: a clause in the present tense.
        since: its first step; 0 means the whole run.
    """

    what: str
    since: int


def describe_states(
    states: Iterable[EndState], known: EndState | None, loss: float | None, unit: str
) -> str:
    """A sentence on the states that a cause explains, the earliest first; "" if there are none.

    Args:
        states: states of the findings that it explains.
        known: the state that the cause itself already mentions.
        loss: the loss at the end; None if it is not known.
        unit: what steps count, "step" or "epoch".

    >>> describe_states([EndState(ONE_OUTPUT, 25), EndState(NO_GRADIENT, 3)], None, None, "step")
    ' Since step 3 no kernel gets a gradient; since step 25 the output is the same for every input.'
    >>> describe_states([EndState(ONE_OUTPUT, 0)], EndState(ONE_OUTPUT, 0), 0.65, "step")
    ''
    """
    found = [state for state in states if known is None or state.what != known.what]
    if not found:
        return ""
    # Among states of the same step, the reason precedes its consequence.
    found.sort(key=lambda state: (state.since, _AFTER.get(state.what, 0)))
    clauses: dict[int, list[str]] = {}
    for state in found:
        clauses.setdefault(state.since, []).append(state.what)
    said = "; ".join(
        f"{_when(since, unit)} {listed(what, len(what))}" for since, what in clauses.items()
    )
    both = {state.what for state in found} >= {NO_GRADIENT, ONE_OUTPUT}
    if both and loss is not None:
        said += f". A loss of {number(loss)} is that of a constant prediction"
    return f" {said[0].upper()}{said[1:]}."


def _when(since: int, unit: str) -> str:
    return f"since {unit} {since:,}" if since else f"from the first {unit} on"
