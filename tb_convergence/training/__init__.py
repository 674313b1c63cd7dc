"""Recording: statistics inside the compiled train step, cadence and event file outside of it.

May import TensorFlow and Keras; nothing of the server imports this folder. Importing the folder
itself loads neither.
"""
