"""Rows of the group "inputs": one per feature of a tensor, or per contiguous group of features.

Imports no TensorFlow: `log_health` uses it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tb_convergence.core.schema import Row

FEATURE_GROUPS: Final = 64
"""Features beyond these are recorded in so many contiguous groups."""


def feature_rows(name: str, kind: str, shape: Sequence[int | None], dtype: Any, groups: int
                 ) -> tuple[Row, ...]:
    """Rows of one tensor `[..., F]`: one per feature, or per contiguous group of features.

    >>> [row.name for row in feature_rows("x", "input", (None, 3), "float32", 2)]
    ['x[0:2]', 'x[2]']
    """
    count = 1 if len(shape) < 2 else int(shape[-1] or 0)
    width = max(1, -(-count // groups))
    rows = []
    for first in range(0, count, width):
        last = min(first + width, count)
        index = f"[{first}]" if last == first + 1 else f"[{first}:{last}]"
        rows.append(Row(name + index, name, kind, (first, last), dtype_name(dtype)))
    return tuple(rows)


def dtype_name(dtype: Any) -> str:
    """Name of a dtype of any framework, or of one that is given by name."""
    return str(getattr(dtype, "name", dtype))
