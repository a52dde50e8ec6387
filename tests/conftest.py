"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# The first example of a test pays for imports, and a busy machine is no failure.
settings.register_profile("authopt", deadline=None)
settings.load_profile("authopt")
