"""Loops that are not Keras' own: `ConvergenceRecorder`, graph mode, `log_health`."""
