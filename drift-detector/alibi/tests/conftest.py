"""The libraries as the worker has them: one thread each, which is also the fastest for tables as small as these."""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
