"""A policy's files as one archive."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.policies.guard import Guarded
from authopt.policies.online import OnlineVw
from authopt.policies.spec import load_policy
from service.models.archive import archive, tar, unpacked, untar
from tests.service.models.models_to_add import policy_file

NAMES = st.text("abcdefgh.-_", min_size=1, max_size=20).filter(lambda name: name.strip(".") != "")


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=5))
def test_an_archive_gives_back_what_was_put_in(files: dict[str, bytes]) -> None:
    assert untar(tar(files)) == files


@given(st.dictionaries(NAMES, st.binary(max_size=100), min_size=2, max_size=5))
def test_the_order_of_files_does_not_matter(files: dict[str, bytes]) -> None:
    assert tar(dict(reversed(files.items()))) == tar(files)


def test_neither_the_folder_nor_the_time_of_a_file_matters(tmp_path: Path) -> None:
    first = archive(policy_file(tmp_path / "a"))
    again = policy_file(tmp_path / "b")
    os.utime(again.partition(":")[2], (1, 1))
    assert archive(again) == first


def test_a_wrapped_policy_comes_along(tmp_path: Path) -> None:
    Guarded(OnlineVw(epsilon=0.3)).save(tmp_path / "live.json")
    archived = archive(f"recommended:{tmp_path / 'live.json'}")
    assert sorted(untar(archived.files)) == ["live.json", "live.wrapped.json"]
    with unpacked(archived) as spec:
        loaded = load_policy(spec)
    assert isinstance(loaded, Guarded)
    assert isinstance(loaded.policy, OnlineVw)
    assert loaded.policy.epsilon == 0.3


def test_the_options_of_a_spec_stay(tmp_path: Path) -> None:
    assert (
        archive(policy_file(tmp_path) + ",epsilon=0.4").spec
        == "online:{}/model-0.2.json,epsilon=0.4"
    )


def test_a_second_file_of_a_spec_comes_along(tmp_path: Path) -> None:
    (tmp_path / "money.json").write_text("{}")
    (tmp_path / "reward.toml").write_text("x = 1")
    archived = archive(f"expected-money:{tmp_path}/money.json,reward={tmp_path}/reward.toml")
    assert archived.spec == "expected-money:{}/money.json,reward={}/reward.toml"
    assert sorted(untar(archived.files)) == ["money.json", "reward.toml"]


@pytest.mark.parametrize("spec", ["uniform", "online:no-such-file.json", "spibb:x.json"])
def test_what_has_no_files_of_its_own_is_refused(spec: str) -> None:
    with pytest.raises(UserError):
        archive(spec)


def test_an_archive_cannot_write_outside_of_its_folder() -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as out:
        out.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(UserError, match="no plain file"):
        untar(target.getvalue())


def test_a_damaged_archive_is_an_error_of_the_user() -> None:
    with pytest.raises(UserError, match="damaged"):
        untar(b"not a tar" * 100)
