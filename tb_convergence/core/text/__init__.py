"""Values as words: the one place that decides how a number, a count, or a severity reads.

`frontend/src/format` writes the same values in the same words. `tests/text_vectors.json` holds what
both must agree on; a Python test and a JavaScript test read it.
"""
