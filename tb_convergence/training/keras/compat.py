"""Every private name of Keras and TensorFlow that the recorder relies on, and nothing else.

A private name may vanish with any release. So all of them are here, each as a small function that
says what it is for; `tests/training/test_compat.py` holds a canary for each, which fails with the
consequence when the name is gone. This module imports nothing else of the package: every folder of
`training` may use it.
"""
