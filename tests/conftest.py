"""Settings of all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The first example of a test pays for imports, and a busy machine is no failure.
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=200)


def pytest_configure(config: pytest.Config) -> None:
    """Fewer examples of what must always hold where the long tests are left out, too."""
    short = "not slow" in config.getoption("markexpr")
    settings.load_profile("quick" if short else "thorough")
