"""Freed memory is used again without asking the system for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from authopt.evaluation.freed_memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(3):
    several = [np.ones(1 << 17) for _ in range(8)]
    del several
before = faults()
for _ in range(20):
    several = [np.ones(1 << 17) for _ in range(8)]
    del several
print(faults() - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library")
def test_arrays_cost_no_page_faults_once_their_memory_is_there() -> None:
    # Twenty times eight arrays of 256 pages.
    assert faults("return") > 10_000
    assert faults("keep") < 1_000
