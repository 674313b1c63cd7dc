"""Statistics, wire format, run history and diagnosis: NumPy only, no I/O, no clock, no framework.

Everything else in the package depends on this folder; it depends on nothing here but itself.
"""
