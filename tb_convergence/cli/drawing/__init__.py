"""Small SVG pictures: the loss of a run, and the numbers that a finding is based on.

This package draws them without a library, so the same data always gives the same bytes: the
pictures of the documentation are committed, and a stale one fails the check.
"""
