"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.service.in_process import running, settings_in


@pytest.fixture(scope="module")
def lasting_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """For tests that leave nothing behind that another could see."""
    with running(settings_in(tmp_path_factory.mktemp("lasting"))) as app:
        yield app
