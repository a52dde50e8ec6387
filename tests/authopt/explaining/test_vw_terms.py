from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.explaining.contributions import IF_NEEDED, LATER, contributions
from authopt.explaining.scores import scores
from authopt.explaining.vw_models import later_of_online, model_of_online
from authopt.explaining.vw_terms import CONSTANT, linear_terms
from authopt.learning.train_vw import train_vw
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import Explorer, VwOptions
from tests.authopt.explaining.logs import first_attempt, online, retry, sample_log

EXACTLY = 1e-5


@pytest.mark.parametrize("place", [0, 7, 100, 555, 1_111])
def test_the_parts_of_an_action_sum_to_what_the_model_predicts(place: int) -> None:
    model = model_of_online(online())
    assert model is not None
    text = model.text(sample_log().decisions().take(slice(place, place + 1)))
    terms = linear_terms(model.ask, text, model.features)
    assert [sum(each.values()) for each in terms] == pytest.approx(model.ask([text]), abs=EXACTLY)


def test_a_model_with_triples_of_features_is_taken_apart_too() -> None:
    one = retry().decisions()
    model = later_of_online(online(), one)
    assert model is not None
    text = model.text(one)
    terms = linear_terms(model.ask, text, model.features)
    assert [sum(each.values()) for each in terms] == pytest.approx(model.ask([text]), abs=EXACTLY)
    triples = [name for name in terms[0] if name.count(" x ") == 2]
    assert any(abs(each[name]) > 1e-4 for each in terms for name in triples)


def test_at_a_choice_of_time_the_parts_of_the_attempt_and_of_what_follows_make_the_score() -> None:
    policy, one = online(), retry().decisions()
    found, whole = contributions(policy, one), scores(policy, one)
    assert found is not None
    assert whole is not None
    assert np.sum(list(found.parts.values()), axis=0) == pytest.approx(whole.values, abs=EXACTLY)
    assert {LATER + "route", LATER + "delay_s", IF_NEEDED} <= set(found.parts)
    assert len(set(found.parts[LATER + CONSTANT][~one.is_stop].tolist())) == 1


def test_where_nothing_can_follow_only_the_attempt_itself_counts() -> None:
    found = contributions(online(), first_attempt().decisions())
    assert found is not None
    assert not any(name.startswith(LATER) for name in found.parts)


def test_parts_name_the_value_of_the_context_and_the_column_of_the_action() -> None:
    one = first_attempt().decisions()
    found = contributions(online(), one)
    assert found is not None
    issuer = one.context["issuer"].values()[0]  # type: ignore[union-attr]
    assert {CONSTANT, "route", f"issuer {issuer} x route"} <= set(found.parts)


def test_what_is_the_payments_alone_adds_the_same_to_all_actions() -> None:
    one = first_attempt().decisions()
    found = contributions(online(), one)
    assert found is not None
    issuer = one.context["issuer"].values()[0]  # type: ignore[union-attr]
    assert np.ptp(found.parts["attempt 1"]) == 0.0
    assert np.ptp(found.parts[f"issuer {issuer} x route"]) > 0.0


@pytest.mark.parametrize("explorer", ["epsilon", "squarecb", "regcb", "softmax"])
def test_a_trained_models_parts_sum_to_its_scores_whatever_explores(
    tmp_path: Path, explorer: Explorer
) -> None:
    out = tmp_path / "model.vw"
    options = VwOptions(explorer=explorer, bits=18)
    train_vw(lambda _: [sample_log(300)], out, options, context_pairs=True, judge=False)
    policy, one = VwPolicy.load(out), retry().decisions()
    found, whole = contributions(policy, one), scores(policy, one)
    assert found is not None
    assert whole is not None
    assert np.sum(list(found.parts.values()), axis=0) == pytest.approx(whole.values, abs=EXACTLY)
    best = policy.probabilities(one)[np.argmax(whole.values)]
    assert best == pytest.approx(policy.probabilities(one).max())


def test_a_model_in_which_several_regressions_vote_has_no_parts(tmp_path: Path) -> None:
    out = tmp_path / "model.vw"
    train_vw(lambda _: [sample_log(300)], out, VwOptions(explorer="bag", bits=16), judge=False)
    policy, one = VwPolicy.load(out), first_attempt().decisions()
    assert scores(policy, one) is None
    assert contributions(policy, one) is None
