"""Keras `fit`: the callback, the rehearsed step, the static description, the check."""
