from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.policies.best_route import BestRoute, BestRouteFile
from authopt.policies.state_file import read_state, write_state


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    BestRoute().save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_state(path, {"state": object()})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.*cannot be written"):
        BestRoute().save(tmp_path / "gone" / "best.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"folder: cannot be written"):
        BestRoute().save(tmp_path / "folder")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{", b"null"])
def test_what_is_no_such_file_is_refused_with_the_command_that_makes_one(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"state\.json: not a policy: .*Make one with: authopt x"):
        read_state(path, BestRouteFile, "a policy", "authopt x")
    with pytest.raises(UserError, match="cannot be read"):
        read_state(tmp_path, BestRouteFile, "a policy", "authopt x")
