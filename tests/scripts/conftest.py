"""The scripts here train when they are run; pytest must not import them."""

collect_ignore_glob = ["*.py"]
