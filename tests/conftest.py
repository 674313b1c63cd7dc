"""How properties are tested: the same examples at every run, judged by what they show, not by time.

`pytest --hypothesis-profile=explore` draws new examples and more of them.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow machine is no fault of the code: neither deadlines nor slow generation fail a test.
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
