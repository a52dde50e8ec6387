"""Memory that arrays give back stays with the process, for the next arrays."""

from __future__ import annotations

import numpy as np

_BLOCK_BYTES = 31 << 20


def keep_freed_memory() -> None:
    """Make the C library keep what is freed, up to some 60 MiB, instead of returning it at once.

    A pass over a log makes and frees arrays of a megabyte all the time. The GNU C library returns
    blocks of that size to the system when they are freed, and each new one costs page faults: a
    sixth of the time of an evaluation. It raises its limits for this when a larger block is freed,
    to the size of that block, at most 32 MiB (mallopt(3), on ``M_MMAP_THRESHOLD``): so one is made
    and freed here, without being touched. Other C libraries take no harm.
    """
    block = np.empty(_BLOCK_BYTES, np.uint8)
    del block
