"""All alarms of a merchant, minute by minute."""

import msgspec
import numpy as np
import pytest

from authopt.alarms.board import Board
from authopt.alarms.counts import ALL, Counts, Minute
from authopt.alarms.kinds import AlarmSettings
from authopt.alarms.share_test import ShareTest
from authopt.errors import UserError

MINUTE_US = 60_000_000
SETTINGS = AlarmSettings()


def counts(
    n, *, rate=0.9, failing=0.0, silent=0.0, fallbacks=0.0, probability=0.8, charged=0.0, late=0.0
):
    answered = n * (1.0 - silent)
    return Counts(
        decisions=n,
        attempts=n,
        firsts=n,
        answered=answered,
        approved=answered * rate * (1.0 - failing),
        replies=answered,
        failed=answered * failing,
        fallbacks=n * fallbacks,
        propensity=n * probability,
        retries=n,
        charged=n * charged,
        due=n,
        overdue=n * late,
    )


def run(board, minutes, since=0, settings=SETTINGS):
    said = []
    for place, streams in enumerate(minutes):
        said += board.step(Minute((since + place) * MINUTE_US, streams), settings)
    return said


def calm(minutes=60, n=60, **changes):
    return [{ALL: counts(n, **changes)}] * minutes


def taught(**usual):
    board = Board()
    assert run(board, calm(**usual)) == []
    return board


@pytest.mark.parametrize(
    ("subject", "trouble"),
    [
        ("rate", {"rate": 0.6}),
        ("fallback", {"fallbacks": 0.3}),
        ("outcomes-missing", {"late": 0.4}),
        ("propensity", {"probability": 0.3}),
        ("propensity", {"probability": 0.99}),
        ("rule-fees", {"charged": 0.1}),
    ],
)
def test_trouble_raises_its_alarm_within_minutes_and_clears_it_when_it_is_over(subject, trouble):
    board = taught(n=400)

    said = run(board, calm(12, n=400, **trouble) + calm(20, n=400), since=60)

    assert [(each.subject, each.firing) for each in said] == [(subject, True), (subject, False)]
    assert said[0].at_us <= 72 * MINUTE_US
    assert said[0].since_us == 60 * MINUTE_US
    assert said[1].at_us >= said[0].at_us + 600_000_000


def test_a_policy_that_no_longer_explores_is_told_however_sure_it_was():
    board = taught(n=400, probability=0.97)

    said = run(board, calm(30, n=400, probability=1.0), since=1_440)

    assert [(each.subject, each.figures["test"]) for each in said] == [("propensity", "surer")]


def test_a_policy_that_has_just_begun_may_become_surer():
    assert run(Board(), calm(5, n=400, probability=0.6) + calm(40, n=400, probability=0.9)) == []


def test_a_merchant_with_few_decisions_a_day_is_told_of_a_change_of_policy_too():
    board = Board()
    for hour in range(24 * 25):
        board.learn(Minute(hour * 60 * MINUTE_US, {ALL: counts(50)}), SETTINGS)

    said = run(board, calm(1_000, n=1, probability=0.2), since=24 * 25 * 60)

    assert [each.subject for each in said if each.firing] == ["propensity"]


def test_what_is_usual_is_the_mean_and_not_that_of_the_good_minutes():
    rng = np.random.default_rng(5)
    board, share = Board(), 0.15
    minutes = []
    for _ in range(2_000):
        n = int(rng.poisson(5))
        approved = float(rng.binomial(n, 1.0 - share))
        minutes.append({ALL: Counts(firsts=n, answered=n, approved=approved)})

    assert run(board, minutes) == []

    usual = board.watches["rate"][""].tallies["declines"].usual
    assert usual.seen_bad / usual.seen == pytest.approx(share, abs=0.01)


def test_what_led_to_an_alarm_is_never_usual():
    board = taught()

    run(board, calm(30, rate=0.5), since=60)

    tally = board.watches["rate"][""].tallies["declines"]
    assert tally.doubted == []
    assert tally.usual.seen_bad / tally.usual.seen < 0.12


def test_the_sentence_says_how_much_what_is_usual_of_how_many_and_since_when():
    said = run(taught(), calm(9, rate=0.5), since=60)

    assert said[0].what == (
        "50.0% of the first attempts are approved, where 90.0% are usual (180 first attempts since "
        "1970-01-01 01:00 UTC)."
    )
    assert said[0].figures == {"test": "declines", "share": 0.5, "usual": 0.1, "outcomes": 180}


@pytest.mark.parametrize(
    ("trouble", "test"),
    [({"failing": 0.9}, "failures"), ({"rate": 0.1}, "declines"), ({"silent": 0.9}, "silence")],
)
def test_a_route_is_found_down_by_failures_by_declines_and_by_silence(trouble, test):
    board = Board()
    sound = {ALL: counts(60), ("route", "a"): counts(30), ("route", "b"): counts(30)}
    ill = {**sound, ("route", "a"): counts(30, **trouble)}

    said = run(board, [sound] * 60 + [ill] * 10)

    assert said[0].subject == "route-down:a"
    assert said[0].figures["test"] == test
    assert board.watches["route-down"]["a"].standing.firing


def test_one_outage_is_not_told_a_hundred_times():
    board = Board()
    parts = [("issuer", f"bank {place}") for place in range(20)] + [("network", "visa")]
    sound = {ALL: counts(400), ("route", "a"): counts(400), **{each: counts(20) for each in parts}}
    ill = {each: of._replace(approved=0.0, failed=of.replies) for each, of in sound.items()}

    said = run(board, [sound] * 60 + [ill] * 15)

    assert {each.subject for each in said} == {"route-down:a", "rate"}


def test_an_issuer_alone_is_named():
    board = Board()
    sound = {ALL: counts(2_000), ("issuer", "x"): counts(20), ("issuer", "y"): counts(500)}
    ill = {**sound, ("issuer", "x"): counts(20, rate=0.1)}

    said = run(board, [sound] * 60 + [ill] * 10)

    assert [each.subject for each in said] == ["rate:issuer:x"]


def test_a_board_goes_on_from_its_json_exactly_where_it_was():
    rng = np.random.default_rng(3)
    minutes = [
        {
            ALL: counts(50, rate=rng.uniform(0.3, 1.0)),
            ("route", "a"): counts(20, failing=rng.uniform(0.0, 0.4)),
            ("issuer", "x"): counts(9, rate=rng.uniform(0.3, 1.0)),
        }
        for _ in range(200)
    ]
    whole, first = Board(), Board()
    expected = run(whole, minutes)

    said = run(first, minutes[:90])
    resumed = msgspec.json.decode(msgspec.json.encode(first), type=Board)
    said += run(resumed, minutes[90:], since=90)

    assert said == expected
    assert resumed == whole


def test_what_lasts_for_a_week_is_usual_from_then_on():
    settings = AlarmSettings(accept_after_s=3_600)
    board = taught()

    said = run(board, calm(200, rate=0.6), since=60, settings=settings)

    assert [each.firing for each in said] == [True, False]
    assert said[1].figures["ended"] == "accepted"


def test_an_alarm_with_nothing_left_to_judge_is_cleared():
    settings = AlarmSettings(forget_after_s=3_600)
    board = taught()

    said = run(board, calm(10, rate=0.5) + [{ALL: Counts()}] * 80, since=60, settings=settings)

    assert [each.firing for each in said] == [True, False]
    assert said[1].figures["ended"] == "forgotten"


def test_values_beyond_the_most_are_watched_together():
    settings = AlarmSettings(most_values=3)
    minute = {ALL: counts(60), **{("issuer", str(place)): counts(5) for place in range(9)}}
    board = Board()

    run(board, [minute] * 3, settings=settings)

    assert sorted(board.watches["rate:issuer"]) == ["0", "1", "2", "other"]
    assert board.watches["rate:issuer"]["other"].tallies["declines"].usual.seen == 3 * 6 * 5


def test_hours_teach_what_is_usual_without_an_alarm():
    board = Board()
    board.learn(Minute(0, {ALL: counts(3_600)}), SETTINGS)

    said = run(board, calm(9, rate=0.5), since=60)

    assert [each.subject for each in said] == ["rate"]


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="sure"):
        AlarmSettings(sure=1.0)
    with pytest.raises(UserError, match="looked_for"):
        ShareTest("declines", looked_for=(1.0,))
