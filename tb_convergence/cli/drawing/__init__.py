"""Small pictures as SVG: the loss of a run, and the numbers that a finding rests on.

Drawn here rather than by a library, so that the same data give the same bytes: the pictures of the
documentation are committed, and a stale one fails the check.
"""
