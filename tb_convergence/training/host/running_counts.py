"""How much each batch counts in a running mean, from what the mean has counted so far.

Keras' mean of the loss since the epoch began gives each batch the weight of its examples. Its count
is read together with the losses, once for several calls of the train function: where all batches
are alike, the total tells the weight of each; where they are not, only a call that was looked at by
itself has a known one.
"""

from __future__ import annotations

import math

UNKNOWN = math.nan


class RunningCount:
    """Follows the count behind one running mean.

    >>> count = RunningCount()
    >>> count.after(32.0, calls=1), count.after(96.0, calls=2)  # batches of 32
    ([32.0], [64.0, 96.0])
    >>> count.after(130.0, calls=2, last=True)  # the last batch of an epoch is often smaller
    [128.0, 130.0]
    >>> count.begin_epoch()
    >>> count.after(70.0, calls=2)  # 32 and 38, or others
    [nan, 70.0]
    """

    def __init__(self) -> None:
        self._count = 0.0
        self._batch = UNKNOWN
        self._smaller = self._vary = False

    def begin_epoch(self) -> None:
        """The mean begins anew."""
        self._count, self._smaller = 0.0, False

    def after(
        self, found: float, calls: int, batches: int = 1, last: bool = False
    ) -> list[float]:
        """The count after each of `calls` calls on `batches` batches each; NaN where not known.

        Args:
            found: the count now, after all of them.
            last: whether the epoch is over.
        """
        before, self._count = self._count, found
        added = found - before
        if not added > 0:  # somebody set the metric back between two calls
            return [UNKNOWN] * (calls - 1) + [found]
        if calls == 1:
            self._see(added / batches)
            return [found]
        each = self._batch * batches
        ends = last and (calls - 1) * each < added < calls * each
        if not (self._vary or self._smaller) and (ends or added == calls * each):
            return [*(before + each * call for call in range(1, calls)), found]
        self._vary = True
        return [UNKNOWN] * (calls - 1) + [found]

    def _see(self, batch: float) -> None:
        """The weight of one batch. Only the last of an epoch may be smaller than the others."""
        if math.isnan(self._batch):
            self._batch = batch
        self._vary |= self._smaller or batch > self._batch
        self._smaller = batch < self._batch
