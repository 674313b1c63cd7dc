"""A zoo of sick training programs, each with a healthy twin that differs in the fault alone.

`make zoo` trains them, diagnoses what was recorded, and prints one table: docs/accuracy.md. A label
is true by test: the healthy twin must reach a good score and the sick program must stay below it.
"""
