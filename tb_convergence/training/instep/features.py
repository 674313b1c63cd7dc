"""Inputs, targets and predictions as rows, one per feature; fixed by the first trace that has them.

A later trace (another batch shape) fills the same rows; what it does not show is NaN there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tb_convergence.core.schema import Row
from tb_convergence.training.instep.branches import reachable
from tb_convergence.training.instep.feature_rows import FEATURE_GROUPS, feature_rows
from tb_convergence.training.instep.reductions import Tensor, supported

MAX_FEATURE_ROWS: Final = 1024
"""Rows of the group "inputs"; tensors that do not fit are left out."""

Named = Iterable[tuple[str, str, Any]]
"""(name, kind, tensor), kind being "input", "target" or "prediction"."""


class Features:
    """The rows of the group "inputs"."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[int, int]] = {}

    def fix(self, tensors: Named) -> tuple[Row, ...]:
        """The rows that these tensors have from now on."""
        fixed: list[Row] = []
        for name, kind, tensor in tensors:
            found = _rows(name, kind, tensor)
            if len(fixed) + len(found) <= MAX_FEATURE_ROWS:
                self._places[name, kind] = (len(fixed), len(found))
                fixed += found
        return tuple(fixed)

    def placed(self, tensors: Named) -> dict[int, Tensor]:
        """Tensors by their first row, those that still have the rows they had."""
        found = {}
        for name, kind, tensor in tensors:
            first, count = self._places.get((name, kind), (0, -1))
            if len(_rows(name, kind, tensor)) == count:
                found[first] = tensor
        return found


def is_feature(tensor: Any) -> bool:
    """Whether `tensor` can be recorded by feature: dense, real, last axis known."""
    if not supported(tensor) or not reachable(tensor):
        return False
    rank = tensor.shape.rank
    return rank is not None and (rank < 2 or bool(tensor.shape[-1]))


def _rows(name: str, kind: str, tensor: Any) -> tuple[Row, ...]:
    return feature_rows(name, kind, tensor.shape, tensor.dtype, FEATURE_GROUPS)
