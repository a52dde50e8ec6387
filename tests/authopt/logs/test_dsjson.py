"""VW's dsjson: foreign events are read as documented, ours come back exactly, VW agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.evaluation.arrays import evaluate_arrays
from authopt.logs.files import open_log, read_log, write_log, write_records
from authopt.logs.schema import PropensitySource
from tests.authopt.logs.log_cases import RECORDS, full_batch, read_leniently, values, with_column
from tests.factories import logged_batch

VW_LOGS = Path(__file__).parents[4] / "shared" / "data" / "vw"
needs_vw_logs = pytest.mark.skipif(
    not VW_LOGS.is_dir(), reason="VW's test logs are not in ../shared/data/vw"
)


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A foreign event; a key set to None is left out."""
    whole = {
        "_label_cost": -1,
        "_label_probability": 0.8,
        "_label_Action": 2,
        "_labelIndex": 1,
        "Timestamp": "2026-01-01T00:00:00.1234567Z",
        "Version": "1",
        "EventId": f"e{number}",
        "a": [2, 1],
        "c": {"User": {"age": 30}, "_multi": [{"_tag": "left"}, {"_tag": "right"}]},
        "p": [0.8, 0.2],
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def written(path: Path, *events: dict[str, Any] | str) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in events]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_foreign_event_is_read_as_documented(tmp_path: Path) -> None:
    log = open_log(written(tmp_path / "log.dsjson", event()))
    assert log.propensity_source is PropensitySource.LOGGED
    assert "column:reward" in log.remarks[0]
    (batch,) = log.batches()
    assert batch.decision_id.to_pylist() == batch.payment_id.to_pylist() == ["e1"]
    assert batch.attempt.tolist() == [1]
    assert batch.decided_at[0] == np.datetime64("2026-01-01T00:00:00.123456")
    assert [str(action) for action in batch.actions(0)] == ["left", "right"]
    assert batch.chosen.tolist() == [1]
    assert batch.propensity.tolist() == [0.8]
    assert batch.probability is not None
    assert batch.probability.tolist() == [0.2, 0.8]
    assert np.asarray(batch.outcome["reward"]).tolist() == [1.0]
    assert np.asarray(batch.context["x_User_age"]).tolist() == [30.0]


ACTIONS = [
    ([{"_tag": "x"}, {"i": {"id": "y"}}], ["x", "y"]),
    ([{"id": 7}, {"j": {"name": "z"}}], ["7", "z"]),
    ([{"f": 1}, {"f": 2}], ["action-1", "action-2"]),
    ([{"_tag": "same"}, {"_tag": "same"}], ["same-1", "same-2"]),
]


@pytest.mark.parametrize(("actions", "names"), ACTIONS)
def test_routes_are_named_by_the_actions(
    tmp_path: Path, actions: list[dict[str, Any]], names: list[str]
) -> None:
    batch = read_log(written(tmp_path / "log.json", event(c={"_multi": actions})))
    assert [action.route for action in batch.actions(0)] == names


OUTCOMES = [
    ({}, 1.0),
    ({"_label_cost": 0.25}, -0.25),
    ({"_label_cost": None, "_original_label_cost": -2}, 2.0),
    ({"_label_cost": None, "o": [{"v": 3}]}, 3.0),
    ({"_label_cost": None}, None),
    ({"_skipLearn": True}, None),
    ({"DeferredAction": True}, None),
    ({"DeferredAction": True, "o": [{"v": 1, "ActionTaken": True}]}, 1.0),
]


@pytest.mark.parametrize(("changes", "reward"), OUTCOMES)
def test_the_reward_is_minus_the_cost(
    tmp_path: Path, changes: dict[str, Any], reward: float | None
) -> None:
    path = written(tmp_path / "log.json", event(**changes))
    (records,) = open_log(path).records()
    assert values([records]).get("reward", [None]) == [reward]


def test_the_label_says_which_action_was_taken_not_the_ranking(tmp_path: Path) -> None:
    batch = read_log(written(tmp_path / "log.json", event(a=[1, 2], p=[0.2, 0.8])))
    assert batch.chosen.tolist() == [1]


def test_without_a_label_the_first_of_the_ranking_was_taken(tmp_path: Path) -> None:
    unlabelled = {key: None for key in event() if key.startswith("_label")}
    batch = read_log(written(tmp_path / "log.json", event(**unlabelled)))
    assert batch.chosen.tolist() == [1]
    assert np.isnan(batch.propensity).all()


def test_events_without_a_time_keep_their_order_and_the_log_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "log.json", *(event(i, Timestamp=None) for i in range(3)))
    log = open_log(path)
    assert any("3 event(s) have no Timestamp" in remark for remark in log.remarks)
    (batch,) = log.batches()
    assert (np.diff(batch.decided_at) > np.timedelta64(0)).all()


BAD: list[tuple[dict[str, Any] | str, str, str]] = [
    ("{", "", "one JSON object"),
    ("[1]", "", "Expected `object`"),
    ('{"RewardValue": 1}', "EventId", "missing"),
    (event(EventId=None), "EventId", "missing"),
    (event(EventId=7), "EventId", "Expected `str"),
    (event(_label_cost="x"), "_label_cost", "Expected `float"),
    (json.dumps(event(_label_cost=1)).replace("1,", "NaN,", 1), "", "one JSON object"),
    (event(_labelIndex=0), "_labelIndex", "another action"),
    (event(_labelIndex=2, _label_Action=3), "_labelIndex", "not among"),
    (event(_label_Action=None, _labelIndex=None, a=None), "_labelIndex", "missing"),
    (event(a=[2, 2]), "a", "each action"),
    (event(p=[1.0]), "p", "one probability per action"),
    (event(p=[0.8, 0.3]), "eligible_probability", "sum to 1"),
    (event(_label_probability=0), "propensity", "above 0"),
    (event(_label_probability=0.5), "propensity", "differs"),
    (event(pdrop=0.5), "pdrop", "dropped at random"),
    (event(_outcomes=[]), "_outcomes", "several slots"),
    (event(c={}), "c._multi", "missing or empty"),
    (event(c={"_multi": [1, 2]}), "c._multi", "one JSON object per action"),
    (event(Timestamp="yesterday"), "decided_at", "ISO 8601"),
    (event(c={"n": {"a": "4111111111111111"}, "_multi": [{}, {}]}), "x_n_a", "card number"),
    (event(_label_cost=None, o=[{"v": 1}, {"v": 2}]), "o", "several observations"),
]


@pytest.mark.parametrize(("bad", "column", "reason"), BAD)
def test_a_bad_event_is_one_rejection(
    tmp_path: Path, bad: dict[str, Any] | str, column: str, reason: str
) -> None:
    path = written(tmp_path / "log.dsjson", event(1), "", bad, event(3))
    sound, rejects = read_leniently(path)
    assert sound == ["e1", "e3"]
    (rejection,) = rejects.examples
    assert rejection.row == 3  # the line, blank ones counted
    assert rejection.column == column
    assert reason in rejection.reason
    assert "4111111111111111" not in rejection.value


def test_a_feature_that_changes_its_kind_becomes_text(tmp_path: Path) -> None:
    events = [
        event(i, c={"a": value, "_multi": [{}, {}]}) for i, value in enumerate([1, "b", True])
    ]
    batch = read_log(written(tmp_path / "log.json", *events))
    column = batch.context["x_a"]
    assert isinstance(column, Categorical)
    assert column.values() == ["1", "b", "true"]


def test_a_line_that_is_too_long_is_rejected_without_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authopt.logs.dsjson_files.LONGEST_LINE", 2_000)
    long = event(2, c={"a": "x" * 9_000, "_multi": [{}, {}]})
    path = written(tmp_path / "log.json", event(1), long, event(3))
    sound, rejects = read_leniently(path)
    assert sound == ["e1", "e3"]
    assert "longer than" in rejects.examples[0].reason


def test_a_file_without_any_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a VW dsjson log"):
        open_log(written(tmp_path / "log.json", "[]", '{"a": 1}'))


@needs_vw_logs
def test_the_logs_of_vws_own_tests_are_read() -> None:
    batch = read_log(VW_LOGS / "decisionservice.json")
    assert batch.counts.tolist() == [12, 12, 12]
    np.testing.assert_allclose(batch.propensity, 0.8166667)
    batch = read_log(VW_LOGS / "dsjson_cb.json")
    assert batch.n == 23
    assert batch.routes == ("Cappucino", "Cold brew", "Iced mocha", "Latte")
    first = [json.loads(line) for line in (VW_LOGS / "dsjson_cb.json").read_text().splitlines()]
    assert np.asarray(batch.outcome["reward"]).tolist() == [-each["_label_cost"] for each in first]


def test_lines_in_another_order_are_still_our_log(tmp_path: Path) -> None:
    path = tmp_path / "log.dsjson"
    write_log(path, [full_batch()])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(reversed(lines)) + "\n")
    whole = values(open_log(path).records())
    assert whole["decision_id"] == RECORDS["decision_id"].to_pylist()[::-1]
    assert whole["card_ref"] == RECORDS["card_ref"].to_pylist()[::-1]
    assert whole["eligible_rate"] == RECORDS["eligible_rate"].to_pylist()[::-1]


def test_vw_reads_what_is_written_and_its_loss_is_our_ips(tmp_path: Path) -> None:
    from vowpalwabbit import LabelType, Workspace

    path = tmp_path / "log.dsjson"
    batch = logged_batch(300, with_stop=True)
    write_log(path, [batch])
    arguments = "--cb_explore_adf --epsilon 0.2 --dsjson --quiet"
    by_driver = Workspace(f"{arguments} -d {path}")
    driven = by_driver.get_sum_loss() / by_driver.get_weighted_examples()
    assert by_driver.get_weighted_examples() == batch.n
    by_driver.finish()

    vw = Workspace(arguments)
    predicted = []
    for line in path.read_text().splitlines():
        examples = vw.parse(line, LabelType.CONTEXTUAL_BANDIT)
        predicted.append(np.array(vw.predict(examples), np.float64))
        vw.learn(examples)
        vw.finish_example(examples)
    vw.finish()
    result = evaluate_arrays(
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        evaluation={"vw": np.concatenate(predicted)},
        offsets=batch.offsets,
        bootstrap=0,
    )
    ips = result.policy("vw").estimate("ips").value
    assert ips == pytest.approx(-driven, abs=1e-6)
    assert ips != 0


awkward = st.text(st.characters(blacklist_categories=("Cs",)))
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
whole_numbers = st.none() | st.integers(-(2**63), 2**63 - 1).filter(lambda n: abs(n) < 10**12)


@given(data=st.data())
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_log_comes_back_exactly(tmp_path: Path, data: st.DataObject) -> None:
    n = 5
    records = RECORDS.slice(0, n)
    counts = [len(each) for each in records["eligible_route"].to_pylist()]

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=n, max_size=n))

    columns = {
        "x_note": pa.array(column(st.none() | awkward), pa.string()).dictionary_encode(),
        "x_score": pa.array(column(numbers), pa.float64()),
        "x_count": pa.array(column(whole_numbers), pa.int64()),
        "x_flag": pa.array(column(st.none() | st.booleans()), pa.bool_()),
        "issuer": pa.array(column(st.none() | awkward), pa.string()).dictionary_encode(),
        "reward": pa.array(column(numbers), pa.float64()),
        "approved": pa.array(column(st.none() | st.booleans()), pa.bool_()),
        "eligible_rate": pa.array(
            [data.draw(st.lists(numbers, min_size=k, max_size=k)) for k in counts],
            pa.list_(pa.float64()),
        ),
    }
    for name, array in columns.items():
        records = with_column(records, name, array)
    path = tmp_path / "log.dsjson"
    write_records(path, [records], PropensitySource.LOGGED)
    back = values(open_log(path).records())
    assert back == values([records.select(list(back))])
    assert set(back) == set(records.schema.names)
