"""The folder in which the processes of a service count together."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder to ``prometheus_client``, which looks once, when it is imported."""


@contextmanager
def counted_together() -> Iterator[Path]:
    """A fresh folder that every process started from here on counts in; removed at the end.

    A worker that dies leaves its counts behind, so nothing is lost with it.
    """
    # Imported any earlier, it would count in this process alone, and nobody would be told.
    assert "prometheus_client" not in sys.modules
    before = os.environ.get(VARIABLE)
    with tempfile.TemporaryDirectory(
        prefix="authopt-metrics-", ignore_cleanup_errors=True
    ) as folder:
        os.environ[VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = before
