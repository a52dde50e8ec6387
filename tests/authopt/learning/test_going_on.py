"""Training that goes on from an earlier model."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from vowpalwabbit import Workspace

from authopt.batch import Categorical, FloatArray, LoggedBatch, concat, utc_datetime
from authopt.cli import main
from authopt.errors import UserError
from authopt.learning.commands import train
from authopt.learning.gate.trained_on import is_same_log, trained_on
from authopt.learning.going_on import read_parent
from authopt.learning.train_vw import train_vw
from authopt.logs.files import write_log
from authopt.policies.spec import load_policy
from authopt.policies.state_file import write_state
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import VwManifest, manifest_path, read_manifest
from authopt.policies.vw_options import CB_TYPES, VwOptions
from authopt.rewards import ColumnReward
from tests.factories import logged_batch

DAY = np.timedelta64(1, "D")


def later(batch: LoggedBatch, days: int, name: str) -> LoggedBatch:
    """The same log, of other payments some days later."""
    return replace(
        batch,
        decision_id=pa.array([f"{name}-{each}" for each in batch.decision_id.to_pylist()]),
        payment_id=pa.array([f"{name}-{each}" for each in batch.payment_id.to_pylist()]),
        decided_at=batch.decided_at + days * DAY,
    )


def halves(n: int = 400) -> tuple[LoggedBatch, LoggedBatch]:
    """Two logs that declare the same features and have the same mean, apart or together."""
    one = logged_batch(n, attempts_per_payment=1)
    context = {"network": one.context["network"]}
    one = replace(one, context=context)
    return one, later(one.take(np.arange(n)[::-1].copy()), 30, "second")


def make(out: Path, log: LoggedBatch, options: VwOptions | None = None, **more: Any) -> VwManifest:
    return train_vw(lambda _: [log], out, options, **more).manifest


def asked(model: Path, log: LoggedBatch) -> FloatArray:
    return VwPolicy.load(model).probabilities(log.decisions())


def weights(model: Path) -> object:
    """All weights of a model, with what the sizes of their next steps depend on."""
    with_state = "--dump_json_weights_include_extra_online_state_experimental"
    workspace = Workspace(arg_list=["--quiet", with_state, "--initial_regressor", str(model)])
    found = json.loads(workspace.json_weights())
    workspace.finish()
    return found


QUICK = ("epsilon", "bag")


@pytest.mark.parametrize(
    "explorer",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in CB_TYPES],
)
def test_two_logs_one_after_the_other_teach_the_same_as_both_in_one_go(
    tmp_path: Path, explorer: str
) -> None:
    first, second = halves()
    options = VwOptions(explorer=explorer, l2=1e-5, initial_t=3.0, seed=5, bits=14)  # type: ignore[arg-type]
    at_once, before, after = (tmp_path / name for name in ("at-once.vw", "before.vw", "after.vw"))
    whole = make(at_once, concat([first, second]), options, judge=False)
    make(before, first, options, judge=False)
    went_on = make(after, second, parent=read_parent(before), judge=False)
    assert went_on.vw_arguments == whole.vw_arguments
    assert went_on.features == whole.features
    assert went_on.routes == whole.routes
    assert weights(after) == weights(at_once) != weights(before)
    assert np.array_equal(asked(after, first), asked(at_once, first))


@pytest.mark.parametrize("explorer", CB_TYPES)
def test_the_options_of_a_model_come_back_from_its_manifest(
    folder: Path, tmp_path: Path, explorer: str
) -> None:
    ips = explorer not in ("squarecb", "regcb")
    options = VwOptions(
        explorer=explorer,  # type: ignore[arg-type]
        epsilon=0.123456789012,
        weighting="ips" if ips else "regression",
        cb_type="ips" if ips else "mtr",
        learning_rate=0.07,
        power_t=0.25,
        initial_t=2.0,
        start=-0.25,
        decay_learning_rate=0.9,
        l2=1e-6,
        bits=13,
        seed=4,
        gamma_scale=50.0 if explorer == "squarecb" else 100.0,
        mellowness=0.5 if explorer == "regcb" else 0.01,
        optimistic=explorer != "regcb",
        policies=3 if explorer in ("bag", "cover", "rnd") else 4,
        psi=0.2 if explorer == "cover" else 0.1,
        softness=7.0 if explorer == "softmax" else 100.0,
    )
    path = tmp_path / "model.vw"
    path.write_bytes((folder / "may.vw").read_bytes())
    manifest = read_manifest(folder / "may.vw")
    told = msgspec.structs.replace(
        manifest,
        vw_arguments=tuple(options.arguments(manifest.features)),
        explorer=options.explorer,
        cb_type=options.cb_type,
        weighting=options.weighting,
        floor=options.epsilon,
    )
    write_state(manifest_path(path), told)
    found = read_parent(path).options
    assert found == options


def test_a_short_log_is_learned_on_top_of_what_the_model_knows(tmp_path: Path) -> None:
    """Alone, ten rows of visa leave a model without a view of mastercard."""
    first = logged_batch(6000, attempts_per_payment=1)
    network = first.context["network"]
    assert isinstance(network, Categorical)
    visa = first.take(np.flatnonzero(network.codes == 0)[:10])
    short = later(visa, 30, "short")
    make(tmp_path / "before.vw", first, judge=False)
    make(tmp_path / "after.vw", short, parent=read_parent(tmp_path / "before.vw"), judge=False)
    make(tmp_path / "alone.vw", short, judge=False)
    before, after, alone = (
        asked(tmp_path / f"{n}.vw", first) for n in ("before", "after", "alone")
    )
    assert np.abs(after - before).mean() < 0.01
    assert np.abs(alone - before).mean() > 0.1


def test_features_and_scale_are_those_of_the_model_that_it_goes_on_from(tmp_path: Path) -> None:
    first = logged_batch(300)
    had = make(tmp_path / "before.vw", first, VwOptions(bits=12), judge=False)
    narrow = first.take(np.flatnonzero(first.context["amount_minor"] < 20_000.0))  # type: ignore[operator]
    parent = read_parent(tmp_path / "before.vw")
    second = later(narrow, 30, "later")
    manifest = make(tmp_path / "after.vw", second, parent=parent, judge=False)
    assert manifest.features == had.features
    assert make(tmp_path / "alone.vw", narrow, judge=False).features != had.features
    assert manifest.cost_scale == had.cost_scale
    assert manifest.vw_arguments == had.vw_arguments
    assert "--bit_precision 12" in " ".join(manifest.vw_arguments)
    assert manifest.reward_to_go is had.reward_to_go is True
    assert VwPolicy.load(tmp_path / "after.vw").may_log


def test_routes_are_counted_over_all_logs_and_a_new_one_is_learned(tmp_path: Path) -> None:
    first, second = logged_batch(200), logged_batch(3000, ("adyen", "checkout", "novel"), seed=3)
    second = later(second, 30, "later")
    had = make(tmp_path / "before.vw", first, judge=False)
    parent = read_parent(tmp_path / "before.vw")
    manifest = make(tmp_path / "after.vw", second, parent=parent, judge=False)
    assert sum(manifest.routes.values()) == 3200
    assert manifest.rows == 3000
    assert manifest.routes["braintree"] == had.routes["braintree"]
    floor = manifest.floor / 3
    novel = np.arange(2, second.m, 3)
    assert asked(tmp_path / "before.vw", second)[novel].max() == pytest.approx(floor)
    assert asked(tmp_path / "after.vw", second)[novel].max() > 0.5


def test_a_floor_and_steps_may_be_given_anew(tmp_path: Path) -> None:
    first, second = halves()
    make(tmp_path / "before.vw", first, judge=False)
    parent = read_parent(tmp_path / "before.vw")
    changed = replace(parent.options, epsilon=0.3, learning_rate=0.5, power_t=0.0, passes=2)
    manifest = make(tmp_path / "after.vw", second, changed, parent=parent)
    assert manifest.floor == 0.3
    assert asked(tmp_path / "after.vw", first).min() == pytest.approx(0.1)
    again = read_parent(tmp_path / "after.vw").options
    assert again == replace(changed, passes=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"bits": 12},
        {"seed": 1},
        {"l2": 0.1},
        {"initial_t": 1.0},
        {"explorer": "squarecb"},
        {"weighting": "ips"},
        {"cb_type": "ips", "weighting": "ips"},
    ],
)
def test_an_option_that_goes_with_what_was_learned_may_not_change(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    first, second = halves(50)
    make(tmp_path / "before.vw", first, judge=False)
    parent = read_parent(tmp_path / "before.vw")
    name = next(iter(changed))
    with pytest.raises(UserError, match=f"was made with {name} .*Leave --{name.replace('_', '-')}"):
        make(tmp_path / "after.vw", second, replace(parent.options, **changed), parent=parent)
    assert not (tmp_path / "after.vw").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"reward": ColumnReward("settled", (0.0, 1.0))}, "'approved'.*'settled'"),
        ({"reward_to_go": True}, "leave --reward-to-go out"),
        ({"routes": {"adyen": {"cost": 1.0}}}, "leave --routes out"),
        ({"merchant_own": True}, "leave --merchant-own out"),
        ({"context_pairs": True}, "leave --context-pairs out"),
        ({"attempt_times": True}, "leave --attempt-times out"),
        ({"interactions": "none"}, "leave --interactions out"),
    ],
)
def test_the_task_and_the_features_may_not_change(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    first, second = halves(50)
    make(tmp_path / "before.vw", first, judge=False)
    with pytest.raises(UserError, match=said):
        make(tmp_path / "after.vw", second, parent=read_parent(tmp_path / "before.vw"), **more)


def test_a_model_of_version_1_cannot_be_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "model.vw"
    make(path, halves(50)[0], judge=False)
    told = json.loads(manifest_path(path).read_bytes())
    manifest_path(path).write_text(json.dumps(told | {"cost_scale": None}), "utf-8")
    with pytest.raises(UserError, match="does not say all that is needed"):
        read_parent(path)
    manifest_path(path).write_text(json.dumps(told | {"vw_arguments": ["--cb_adf"]}), "utf-8")
    with pytest.raises(UserError, match="does not say all that is needed"):
        read_parent(path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of three months, and the model of the first."""
    path = tmp_path_factory.mktemp("going-on")
    log = logged_batch(200)
    for month, name in enumerate(("may", "june", "july")):
        write_log(path / f"{name}.parquet", [later(log, 31 * month, name)])
    assert run(path / "may.parquet", "--out", path / "may.vw").exit_code == 0
    return path


def test_the_manifest_names_all_that_was_learned_before(folder: Path, tmp_path: Path) -> None:
    june, july = tmp_path / "june.vw", tmp_path / "july.vw"
    for log, before, out in (("june", folder / "may.vw", june), ("july", june, july)):
        result = run(folder / f"{log}.parquet", "--from", before, "--out", out)
        assert result.exit_code == 0, result.output
        assert "warning" not in result.stderr
    assert "had learned from 400 decisions" in " ".join(result.stdout.split())
    manifest = read_manifest(july)
    assert [each.log.name for each in manifest.ancestors] == ["june.parquet", "may.parquet"]
    assert [each.sha256 for each in manifest.ancestors] == [
        read_manifest(june).sha256,
        read_manifest(folder / "may.vw").sha256,
    ]
    assert [each.rows for each in manifest.ancestors] == [200, 200]
    assert load_policy(f"vw:{july}").name == "vw"


def test_the_gate_knows_the_logs_of_all_and_the_latest_of_them(
    folder: Path, tmp_path: Path
) -> None:
    """An older log learned on top of a newer one does not make the model older."""
    july, out = tmp_path / "july.vw", tmp_path / "model.vw"
    run(folder / "july.parquet", "--from", folder / "may.vw", "--out", july)
    result = run(folder / "june.parquet", "--from", july, "--out", out)
    assert "learned twice" in " ".join(result.stderr.split())
    trained = trained_on(f"vw:{out}")
    assert trained is not None
    assert utc_datetime(trained.until) == read_manifest(july).log.last_payment
    for name in ("may", "june", "july"):
        assert is_same_log(trained, folder / f"{name}.parquet")


def test_a_gate_on_the_end_of_the_log_fails_where_the_model_before_has_seen_it(
    folder: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.parquet"
    write_log(again, [later(logged_batch(200), 0, "again")])
    gated = ("--gate", "logged", "--json", "--out", tmp_path / "model.vw")
    checks = {}
    for name, log in (("fresh", folder / "june.parquet"), ("seen", again)):
        answer = json.loads(run(log, "--from", folder / "may.vw", *gated).stdout)
        checks[name] = {each["name"]: each["outcome"] for each in answer["gate"]["checks"]}
    assert checks["fresh"]["freshness"] == "pass"
    assert checks["seen"]["freshness"] == "fail"


def test_the_answer_holds_the_lineage(folder: Path, tmp_path: Path) -> None:
    before, out = folder / "may.vw", tmp_path / "june.vw"
    result = run(folder / "june.parquet", "--from", before, "--out", out, "--json")
    answer = json.loads(result.stdout)
    assert answer["from"] == str(before)
    assert [each["rows"] for each in answer["ancestors"]] == [200]
    assert datetime.fromisoformat(answer["ancestors"][0]["log"]["last"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bits", 12), "made with bits 20, and cannot go on with 12"),
        (("--explorer", "squarecb"), "Leave --explorer out"),
        (("--no-reward-to-go",), "leave --no-reward-to-go out"),
        (("--context-pairs",), "leave --context-pairs out"),
        (("--reward", "column:amount_minor:0:1"), "learned from the reward 'approved'"),
        (("--policy", "best-route"), "--from does not apply to --policy best-route"),
    ],
)
def test_what_conflicts_with_the_model_is_said(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[object, ...],
    said: str,
) -> None:
    words = (
        folder / "june.parquet",
        "--from",
        folder / "may.vw",
        "--out",
        tmp_path / "m",
        *options,
    )
    assert said in failed(capsys, *words)


def test_a_log_is_not_learned_twice_and_a_file_that_is_no_model_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.vw"
    copy = tmp_path / "copy.parquet"
    copy.write_bytes((folder / "may.parquet").read_bytes())
    said = failed(capsys, copy, "--from", folder / "may.vw", "--out", out)
    assert "has already learned from" in said
    rates = tmp_path / "rates.json"
    run(folder / "may.parquet", "--policy", "success-rate", "--out", rates)
    assert "rates.json" in failed(capsys, folder / "june.parquet", "--from", rates, "--out", out)


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the whole command says when it fails, as a user's mistake, in one line."""
    with pytest.raises(SystemExit) as stopped:
        main(["train", *(str(argument) for argument in arguments)])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.split())
