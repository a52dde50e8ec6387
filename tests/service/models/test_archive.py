"""A policy's files as one archive."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.learning.gate.trained_on import fingerprint_of
from authopt.policies.guard import Guarded
from authopt.policies.online import OnlineVw
from authopt.policies.spec import load_policy
from authopt.policies.spibb import Spibb
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


def spibb_file(folder: Path, live: str = "priority:routes=adyen,braintree") -> Path:
    """A candidate of its own, held to another policy."""
    specs = policy_file(folder), live
    counts = {(("visa",), "adyen", 0): 70}
    path = folder / "safe.json"
    Spibb(load_policy(specs[0]), load_policy(specs[1]), counts, ("network",), specs=specs).save(
        path
    )
    return path


def test_a_policy_that_names_others_takes_their_files_along(tmp_path: Path) -> None:
    live = policy_file(tmp_path / "live", 0.4)
    path = spibb_file(tmp_path, live)
    before = fingerprint_of(f"spibb:{path}")
    archived = archive(f"spibb:{path}")
    assert archived.spec == "spibb:{}/safe.json"
    shutil.rmtree(tmp_path)
    with unpacked(archived) as spec:
        loaded = load_policy(spec)
        # What the gate said of it before it was moved still holds.
        assert fingerprint_of(spec) == before
    assert isinstance(loaded, Spibb)
    assert [loaded.candidate.epsilon, loaded.live.epsilon] == [0.2, 0.4]  # type: ignore[attr-defined]


def test_a_policy_that_names_one_without_files_keeps_its_spec(tmp_path: Path) -> None:
    archived = archive(f"spibb:{spibb_file(tmp_path)}")
    with unpacked(archived) as spec:
        loaded = load_policy(spec)
    assert isinstance(loaded, Spibb)
    assert loaded.specs[1] == "priority:routes=adyen,braintree"


def test_a_spibb_policy_of_a_spibb_policy_is_refused(tmp_path: Path) -> None:
    inner = spibb_file(tmp_path / "inner")
    path = spibb_file(tmp_path / "outer", f"spibb:{inner}")
    with pytest.raises(UserError, match="its live policy is a spibb policy too"):
        archive(f"spibb:{path}")


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
