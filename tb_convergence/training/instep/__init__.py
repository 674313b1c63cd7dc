"""What is traced: the statistics of one step, as TensorFlow operations."""
