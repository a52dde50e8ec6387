"""bandit finds nothing in the product but what tests/bandit-exceptions.toml argues for."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_every_finding_of_bandit_is_argued_for() -> None:
    words = ["-q", "-c", "pyproject.toml", "-f", "json", "-r", "service", "authopt"]
    ended = subprocess.run(
        [sys.executable, "-m", "bandit", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(ended.stdout)
    assert told["errors"] == []
    found = Counter((each["test_id"], each["filename"]) for each in told["results"])
    text = (ROOT / "tests" / "bandit-exceptions.toml").read_text()
    argued = tomllib.loads(text)["exception"]
    assert all(len(each["why"]) > 10 for each in argued)
    assert found == Counter({(each["test"], each["file"]): each["number"] for each in argued})
