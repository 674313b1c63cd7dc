"""A worked example for every diagnosis: a small run that has the fault, drawn by hand.

`tools/document.py` makes from each what a person gets to read, and a picture of the numbers that
decide. `tests/unit/test_worked_examples.py` proves that each really fires its rule.

The series of a rule that `tools/new_rule.py` made are its example. Others have an entry in
`causes.py` or `symptoms.py`: the sentence that sets the scene, and a function that draws the run,
from the pieces in `drawing.py`.
"""

from __future__ import annotations

from worked_examples.causes import CAUSES
from worked_examples.drawing import Example, of_series
from worked_examples.symptoms import SYMPTOMS

EXAMPLES: dict[str, Example] = {**CAUSES, **SYMPTOMS, **of_series()}
"""By the rule's id."""

__all__ = ["EXAMPLES", "Example"]
