"""Scale to several machines: Dask hands experiments and pictures out to them."""

import sys

from mnist_reader.core.errors import require

program = next((word for word in sys.orig_argv if word.startswith("cluster.")), "cluster")
require(program, "requirements-dev.txt", "distributed", "dvc", "pyarrow")
