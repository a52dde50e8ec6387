"""What the tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.service.in_process import running, settings_in


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    with running(settings_in(tmp_path)) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
