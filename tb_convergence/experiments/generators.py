"""Random state of the whole process: kept aside, and put back bit for bit.

Python's and NumPy's generators, TensorFlow's global seed and generator, Keras' global seed
generator, and the counters from which Keras makes names of layers: what a training draws from
besides the variables of its model. Private names of TensorFlow and Keras are used here alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from tensorflow.python.eager import context
from tensorflow.python.ops import stateful_random_ops

NAME_COUNTERS: Final = "object_name_uids"


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Whatever the body draws or seeds, the process draws the same numbers afterwards.

    One thing is out of reach: a random operation that the body runs eagerly, outside any
    `tf.function`, moves the state of its kernel, which TensorFlow does not show.
    """
    python, numpy_state = random.getstate(), np.random.get_state()
    tensorflow = context.context()
    seed, rng = tensorflow._seed, getattr(tensorflow, "_rng", None)  # _rng: after set_seed only
    rng_state = None if rng is None else rng.getstate()
    generator = stateful_random_ops.global_generator  # None until somebody asks for it
    generator_state = None if generator is None else generator.state.numpy()
    keras_generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    keras_state = None if keras_generator is None else np.array(keras_generator.state)
    counters = global_state.get_global_attribute(NAME_COUNTERS)
    names = None if counters is None else dict(counters)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        tensorflow._seed = seed
        tensorflow._rng = rng
        if rng is not None:
            rng.setstate(rng_state)
        stateful_random_ops.global_generator = generator
        if generator is not None:
            generator.state.assign(generator_state)
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, keras_generator)
        if keras_generator is not None:
            keras_generator.state.assign(keras_state)
        if counters is None:
            global_state.set_global_attribute(NAME_COUNTERS, None)
        else:
            now = global_state.get_global_attribute(NAME_COUNTERS)
            if now is not counters:
                global_state.set_global_attribute(NAME_COUNTERS, counters)
            counters.clear()
            counters.update(names)
