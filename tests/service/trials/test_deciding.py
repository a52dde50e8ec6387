"""Payments in a trial are decided by the policy of their arm; nothing else about them changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from authopt.policies.uniform import Uniform
from service.active_policy import ActivePolicy
from service.models.kill_switch import set_killed
from service.store.changes import changing, record_change
from service.store.tables import decisions, models
from service.trials.left_out import LEFT_OUT
from service.trials.running import run_trial
from service.trials.trial import Arm
from tests.service.deciding.asked import question, serving
from tests.service.deciding.policies import Hanging
from tests.service.in_process import ask, problem, recorder_of, request_body, running, settings_in
from tests.service.live.test_explain import explained
from tests.service.live.test_following import engine_of, live_of
from tests.service.models.models_to_add import added
from tests.service.trials.running import FIRST_ROUTE, canary, decide, experiment, run

TWO = (Arm("old", "live"), Arm("new", FIRST_ROUTE))


def row_of(app: Flask, decision_id: str) -> Any:
    with engine_of(app).connect() as connection:
        return connection.execute(
            select(decisions).where(decisions.c.decision_id == decision_id)
        ).one()


def test_an_answer_outside_of_trials_says_nothing_of_them(client: FlaskClient) -> None:
    assert not {"experiment", "arm"} & decide(client, 1).keys()


def test_each_arm_decides_with_its_own_policy_and_the_row_says_which(
    app: Flask, client: FlaskClient
) -> None:
    run(app, engine_of(app), experiment(*TWO))
    answers = [decide(client, number) for number in range(40)]
    policies = {(each["arm"], each["policy"]["name"].partition(":")[0]) for each in answers}
    assert {arm for arm, _ in policies} == {"old", "new"}
    assert len(policies) == 2
    for answer in answers[:5]:
        probability = {each["route"]: each["probability"] for each in answer["actions"]}
        best = 1 / 3 if answer["arm"] == "old" else 0.8 + 0.2 / 3
        assert probability["checkout"] == pytest.approx(best)
        assert answer["propensity"] == probability[answer["action"]["route"]]
        row = row_of(app, answer["decision_id"])
        assert (row.experiment, row.arm) == ("e1", answer["arm"])
        assert (row.policy, row.propensity) == (answer["policy"]["name"], answer["propensity"])


def test_retries_of_a_payment_stay_with_its_arm(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment())
    for number in range(20):
        arms = {decide(client, number, attempt=attempt)["arm"] for attempt in (1, 2, 3)}
        assert len(arms) == 1


@pytest.mark.parametrize(("unit", "column"), [("card", "card_ref"), ("merchant", "merchant_id")])
def test_all_payments_of_a_unit_have_its_arm(
    app: Flask, client: FlaskClient, unit: str, column: str
) -> None:
    run(app, engine_of(app), experiment(unit=unit))
    arms = {
        name: {decide(client, number, context={column: name})["arm"] for number in range(4)}
        for name in map("unit-{}".format, range(12))
    }
    assert all(len(each) == 1 for each in arms.values())
    assert len(set.union(*arms.values())) == 2


def test_a_payment_without_its_unit_is_in_no_trial_and_counted(
    app: Flask, client: FlaskClient
) -> None:
    run(app, engine_of(app), experiment(name="no-unit", unit="card"))
    assert "arm" not in decide(client, 1)
    told = [
        (sample.labels["reason"], sample.value)
        for metric in LEFT_OUT.collect()
        for sample in metric.samples
        if sample.labels["experiment"] == "no-unit" and sample.name.endswith("_total")
    ]
    assert told == [("the request does not tell its unit", 1.0)]


def test_only_the_share_of_the_payments_is_in_the_trial(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment(share=0.5))
    before = [decide(client, number).get("arm") for number in range(60)]
    assert 15 < before.count(None) < 45
    run(app, engine_of(app), experiment(share=0.9))
    after = [decide(client, number).get("arm") for number in range(60)]
    assert all(one == other for one, other in zip(before, after, strict=True) if one)


def test_raising_the_share_of_a_canary_takes_no_payment_back(
    app: Flask, client: FlaskClient
) -> None:
    stages = []
    for share in (0.2, 0.6):
        run(app, engine_of(app), canary(share))
        stages.append([decide(client, number)["arm"] for number in range(60)])
    first, second = ({at for at, arm in enumerate(each) if arm == "canary"} for each in stages)
    assert first < second


def test_the_kill_switch_and_weights_hold_in_every_arm(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment(*TWO))
    client.post("/v1/routes/adyen", json={"weight": 3.0})
    for number in range(12):
        answer = decide(client, number)
        own = (1 / 3, 1 / 3) if answer["arm"] == "old" else (0.2 / 3, 0.8 + 0.2 / 3)
        total = 3 * own[0] + 1 / 3 + own[1] if answer["arm"] == "old" else 4 * own[0] + own[1]
        probability = {each["route"]: each["probability"] for each in answer["actions"]}
        assert probability["adyen"] == pytest.approx(3 * own[0] / total)
    client.post("/v1/routes/adyen", json={"state": "down"})
    assert len(decide(client, 1)["actions"]) == 2
    client.post("/v1/policies/kill", json={})
    answers = [decide(client, number) for number in range(12)]
    assert {each["fallback"] for each in answers} == {"the kill switch is on"}
    # Who was assigned counts, whatever decided.
    assert {each["arm"] for each in answers} == {"old", "new"}


def test_a_trial_whose_model_is_gone_costs_no_payment_and_marks_none(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    engine = engine_of(app)
    model = added(engine, tmp_path / "m")
    with engine.begin() as connection:
        connection.execute(delete(models))
    run(app, engine, experiment(Arm("old", "live"), Arm("new", model.spec, model.sha256)))
    answers = [decide(client, number) for number in range(8)]
    assert {(each.get("arm"), each["policy"]["name"], each["fallback"]) for each in answers} == {
        (None, "uniform", None)
    }
    trial = live_of(app).serving("default").trial
    assert trial is not None
    assert trial.fault is not None
    assert model.sha256 in trial.fault


def test_a_repeat_is_answered_byte_for_byte_after_the_trial_is_over(
    app: Flask, client: FlaskClient
) -> None:
    run(app, engine_of(app), experiment())
    first = ask(client, request_body("d1"))
    assert first.get_json()["experiment"] == "e1"
    run(app, engine_of(app), experiment(state="stopped"))
    assert ask(client, request_body("d1")).get_data() == first.get_data()
    assert "experiment" not in ask(client, request_body("d2")).get_json()


def test_a_batch_is_split_by_arm_and_answered_in_its_order(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment(*TWO))
    asked = [request_body(f"b{number}", payment_id=f"pay-{number}") for number in range(60)]
    asked[7] = asked[7] | {"attempt": 0}
    answer = client.post("/v1/decisions/batch", json={"decisions": asked})
    items = answer.get_json()["items"]
    assert items[7]["problem"]["status"] == 422
    made = [each["decision"] for at, each in enumerate(items) if at != 7]
    assert [each["decision_id"] for each in made] == [
        f"b{number}" for number in range(60) if number != 7
    ]
    one_by_one = [decide(client, number)["arm"] for number in range(60) if number != 7]
    assert [each["arm"] for each in made] == one_by_one
    assert len({(each["arm"], each["policy"]["name"]) for each in made}) == 2


def test_a_ranking_is_of_the_policy_of_the_arm(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment(Arm("only", FIRST_ROUTE)))
    answer = client.post("/v1/rank", json=request_body("d1")).get_json()
    assert (answer["experiment"], answer["arm"]) == ("e1", "only")
    assert answer["policy"]["name"].startswith("priority")
    assert row_of(app, "d1").arm == "only"


def test_an_explanation_is_of_the_policy_that_decided(
    app: Flask, client: FlaskClient, tmp_path: Path
) -> None:
    engine = engine_of(app)
    model = added(engine, tmp_path / "m")
    arms = (Arm("a", "live"), Arm("b", FIRST_ROUTE), Arm("c", model.spec, model.sha256))
    run(app, engine, experiment(*arms))
    answers = {}
    for number in range(30):
        answer = decide(client, number)
        answers[answer["arm"]] = answer
    run(app, engine, experiment(*arms, state="stopped"))
    assert len(answers) == 3
    for answer in answers.values():
        found = explained(client, answer["decision_id"])
        assert (found["policy"], found["agrees"]) == (answer["policy"]["name"], True)


def test_a_policy_that_hangs_in_one_arm_holds_up_no_other(tmp_path: Path) -> None:
    hanging = Hanging()
    with running(settings_in(tmp_path, deadline_ms=300)) as app:
        live = live_of(app)
        engine, client = engine_of(app), app.test_client()
        run(app, engine, experiment(*TWO))
        state = live.serving("default")
        assert state.trial is not None
        policies = [state.trial.policies[0], ActivePolicy("hanging", policy=hanging)]
        made = run_trial(state.trial.trial, policies, None, state)
        live._servings = {"default": replace(state, trial=made)}
        try:
            answers = [decide(client, number) for number in range(12)]
        finally:
            hanging.let_go.set()
    late = Counter((each["arm"], each["fallback"] is None) for each in answers)
    assert {arm for (arm, decided) in late if decided} == {"old"}
    assert {arm for (arm, decided) in late if not decided} == {"new"}


def test_questions_outside_of_the_share_keep_the_state_of_the_merchant() -> None:
    state = serving(Uniform())
    trial = experiment(share=1e-9)
    made = run_trial(trial, [state.active, state.active], None, state)
    outside = replace(state, trial=made)
    assert question(outside).serving is outside


@pytest.mark.parametrize(
    "damage",
    [
        {"arms": None},
        {"unit": "shop"},
        {"share": "half"},
        {"share": 0.0},
        {"arms": [{"name": "a", "spec": "live", "sha256": None, "weight": "much"}]},
        {"arms": [{"name": "a", "spec": "none-such", "sha256": None, "weight": 1}]},
    ],
)
def test_a_row_that_tells_no_trial_costs_no_payment_and_hides_no_other_change(
    app: Flask, client: FlaskClient, damage: dict[str, Any]
) -> None:
    engine = engine_of(app)
    value = experiment().value() | damage
    with changing(engine) as connection:
        record_change(connection, "default", "tests", "experiment", "x", value, "")
        set_killed(connection, "default", "tests", True, "on fire")
    assert live_of(app).refresh(engine)
    answer = decide(client, 1)
    assert "arm" not in answer
    assert answer["fallback"].endswith("on fire")


def test_a_used_decision_id_is_refused_in_a_trial_as_well(app: Flask, client: FlaskClient) -> None:
    run(app, engine_of(app), experiment())
    ask(client, request_body("d1"))
    problem(ask(client, request_body("d1", attempt=2)), 422)
    assert recorder_of(app).store.decision("d1", "default") is not None
