from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.batch import DecisionBatch
from authopt.errors import UserError
from authopt.policies.mixed import Mixed
from authopt.policies.spec import load_policy
from authopt.policies.table import TablePolicy
from tests.authopt.policies.batches import ROUTES, Decision, batch_of, decisions

Actions = tuple[tuple[str, int], ...]
A, B, STOP = ("adyen", 0), ("braintree", 0), ("stop", 0)
A_LATER = ("adyen", 3600)


def table(folder: Path, *lines: str) -> TablePolicy:
    path = folder / "router.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return TablePolicy.load(path)


def batch(*rows: Actions, network: str | None = "visa", amount: float = 1.0) -> DecisionBatch:
    return batch_of(
        [Decision(1, actions, network, amount, None, (0.0,) * len(actions)) for actions in rows]
    )


BY_NETWORK = (
    "network,route,probability",
    "visa,adyen,0.75", "visa,braintree,0.25", "visa,stop,0",
    "mastercard,adyen,0", "mastercard,braintree,1", "mastercard,stop,0",
    ",adyen,0.5", ",braintree,0.5", ",stop,0",
)  # fmt: skip


def test_each_context_has_its_own_probabilities(tmp_path: Path) -> None:
    policy = table(tmp_path, *BY_NETWORK)
    assert policy.probabilities(batch((B, A))).tolist() == [0.25, 0.75]
    assert policy.probabilities(batch((B, A), network="mastercard")).tolist() == [1.0, 0.0]


def test_an_empty_cell_is_the_missing_value(tmp_path: Path) -> None:
    some = batch((A, B), network=None)
    assert table(tmp_path, *BY_NETWORK).probabilities(some).tolist() == [0.5, 0.5]


def test_the_probabilities_of_the_eligible_actions_are_renormalised(tmp_path: Path) -> None:
    policy = table(tmp_path, *BY_NETWORK)
    assert policy.probabilities(batch((A,), (A, STOP))).tolist() == [1.0, 1.0, 0.0]


def test_without_delays_a_route_stands_with_its_shortest(tmp_path: Path) -> None:
    policy = table(tmp_path, *BY_NETWORK)
    assert policy.probabilities(batch((A_LATER, A, B))).tolist() == [0.0, 0.75, 0.25]
    assert policy.probabilities(batch((A_LATER,))).tolist() == [1.0]


def test_with_delays_each_has_its_own_probability(tmp_path: Path) -> None:
    policy = table(
        tmp_path,
        "route,delay_s,probability", "adyen,0,0.1", "adyen,3600,0.4", "braintree,0,0.5",
    )  # fmt: skip
    assert policy.probabilities(batch((A_LATER, A, B))).tolist() == pytest.approx([0.4, 0.1, 0.5])
    with pytest.raises(UserError, match=r"no row for every context, route braintree, delay_s 60,"):
        policy.probabilities(batch((A, ("braintree", 60))))


def test_numbers_flags_and_the_attempt_can_be_keys(tmp_path: Path) -> None:
    policy = table(
        tmp_path,
        "amount_minor,attempt,three_ds,route,probability",
        "100,1,yes,adyen,1", "100.0,2,yes,adyen,1", ",1,no,adyen,1",
        "100,1,yes,braintree,0", "100.0,2,yes,braintree,0", ",1,no,braintree,0",
    )  # fmt: skip
    some = batch((B, A), amount=100.0)
    some = replace(some, context={**some.context, "three_ds": np.ones(1)})
    assert policy.probabilities(some).tolist() == [0.0, 1.0]
    unknown = replace(
        some, context={**some.context, "three_ds": np.zeros(1), "amount_minor": np.full(1, np.nan)}
    )
    assert policy.probabilities(unknown).tolist() == [0.0, 1.0]


def test_cells_that_a_decision_needs_and_the_table_lacks_are_named(tmp_path: Path) -> None:
    policy = table(tmp_path, *BY_NETWORK)
    with pytest.raises(UserError, match=r"network diners, route adyen; .*probability 0"):
        policy.probabilities(batch((A, B), network="diners"))
    with pytest.raises(UserError, match=r"network visa, route never seen, .*decision 'd1'"):
        policy.probabilities(batch((A, B), (A, ("never seen", 0))))
    many = tuple((f"r{number}", 0) for number in range(200))
    with pytest.raises(UserError, match=r"route r2; and more, first"):
        policy.probabilities(batch(many, many))


def test_a_decision_whose_actions_all_have_probability_0_is_named(tmp_path: Path) -> None:
    policy = table(tmp_path, *BY_NETWORK)
    with pytest.raises(UserError, match=r"decision 'd1' \(network visa\).*probability 0"):
        policy.probabilities(batch((A,), (STOP,)))


def test_a_key_that_the_log_lacks_is_named(tmp_path: Path) -> None:
    policy = table(tmp_path, "x_shop,route,probability", "1,adyen,1")
    with pytest.raises(UserError, match=r"'x_shop' is not in the context.*network"):
        policy.probabilities(batch((A,)))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "'route' is missing"),
        (("network,probability", "visa,1"), "'route' is missing"),
        (("network,route", "visa,adyen"), "'probability' is missing"),
        (("netwrk,route,probability", "visa,adyen,1"), r"'netwrk' is no column.*network"),
        (("route,route,probability", "a,a,1"), "more than once"),
        (("route,probability",), "no rows"),
        (("route,probability", "a,1", "b"), "line 3: 1 cells; the header has 2"),
        (("route,probability", ",1"), "line 2: route is empty"),
        (("route,probability", "a,much"), "line 2: probability is 'much'; expected 0 to 1"),
        (("route,probability", "a,nan"), "line 2: probability is 'nan'"),
        (("route,probability", "a,-0.1"), "expected 0 to 1"),
        (("route,probability", "a,60", "b,40"), "expected 0 to 1"),
        (("route,probability", "a,0.5", "b,0.4"), "every context sum to 0.9; expected 1"),
        (("network,route,probability", "visa,a,1", ",a,0.2"), "network missing sum to 0.2"),
        (("route,probability", "a,1", "a,0"), "line 3: says again what line 2 says"),
        (("route,delay_s,probability", "a,soon,1"), "line 2: delay_s is 'soon'"),
        (("route,delay_s,probability", "stop,60,1"), "'stop' has the delay 0"),
        (('route,probability\n"a,1',), "not a CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UserError, match=said) as raised:
        table(tmp_path, *lines)
    assert "router.csv" in str(raised.value)


def test_a_spec_names_the_file_and_may_mix(tmp_path: Path) -> None:
    path = table(tmp_path, *BY_NETWORK).path
    assert load_policy(f"table:{path}").name == "router"
    policy = load_policy(f"table:{path},epsilon=0.2")
    assert isinstance(policy, Mixed)
    assert policy.probabilities(batch((A, B))).tolist() == pytest.approx([0.7, 0.3])
    with pytest.raises(UserError, match="needs a file"):
        load_policy("table")
    with pytest.raises(UserError, match=r"gone\.csv: no such file"):
        load_policy(f"table:{tmp_path / 'gone.csv'}")


@given(rows=decisions(), seed=st.integers(0, 99))
def test_a_table_of_everything_gives_every_decision_its_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Decision], seed: int
) -> None:
    networks = ("visa", "mastercard", "a new | one", "")
    cells = list(product(networks, ROUTES))
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(ROUTES)), len(networks)).ravel()
    weight = dict(zip(cells, shares.tolist(), strict=True))
    lines = [f"{network},{route},{weight[network, route]!r}" for network, route in cells]
    folder = tmp_path_factory.mktemp("table")
    policy = table(folder, "network,route,probability", *lines)
    some = batch_of(rows)
    found = policy.probabilities(some)
    expected: list[float] = []
    for row in rows:
        shortest = {
            route: min(delay for other, delay in row.actions if other == route)
            for route, _ in row.actions
        }
        own = [
            weight[row.network or "", route] * (delay == shortest[route])
            for route, delay in row.actions
        ]
        expected += [each / sum(own) for each in own]
    assert found == pytest.approx(expected, abs=1e-12)
