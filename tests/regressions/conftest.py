"""Imports what warns when it is imported, before warnings are errors."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "html5lib's sanitizer is deprecated", DeprecationWarning)
    import tensorboard.plugin_util  # noqa: F401
