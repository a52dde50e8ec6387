"""Commands as a user has them, but for the seconds that a process of their own takes to start."""

from __future__ import annotations

import os
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest

from authopt.cli import main


def authopt(*words: object, columns: int = 80) -> CompletedProcess[str]:
    """What ``authopt WORD...`` ends with and says, on a terminal of so many columns."""
    arguments = [str(word) for word in words]
    out, err = StringIO(), StringIO()
    with (
        patch.dict(os.environ, {"COLUMNS": str(columns)}),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
