"""Whether something other than the processor computes."""

from __future__ import annotations

import tensorflow as tf


def accelerated() -> bool:
    """Whether TensorFlow may place operations on a GPU, a TPU or the like."""
    return any(device.device_type != "CPU" for device in tf.config.get_visible_devices())
