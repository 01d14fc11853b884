"""The stages: one module each, run by DVC as `python -m stages.<name>`."""

import atexit
import gc

# TensorFlow's objects are so many that the garbage collector, left as it is, spends a second on them at the
# process's exit, where nothing is left to gain, and more while it runs.
gc.set_threshold(50_000)
atexit.register(gc.freeze)
