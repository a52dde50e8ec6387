from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from authopt.errors import UserError
from authopt.evaluation.arrays import CHUNK, evaluate_arrays

Array = npt.NDArray[np.float64]


def arrays(n: int, k: int, seed: int = 0) -> dict[str, npt.NDArray[np.generic]]:
    """A log of n decisions with k actions, as obp and as authopt take it."""
    rng = np.random.default_rng(seed)
    logging = 0.9 * rng.dirichlet(np.ones(k), n) + 0.1 / k
    evaluation = rng.dirichlet(np.ones(k), n)
    chosen = (rng.random(n)[:, None] > logging.cumsum(1)).sum(1).clip(0, k - 1)
    reward = (rng.random(n) < 0.7).astype(np.float64)
    q = rng.random((n, k))
    return {
        "logging": logging,
        "evaluation": evaluation,
        "chosen": chosen,
        "reward": reward,
        "q": q,
    }


def ours(drawn: dict[str, npt.NDArray[np.generic]], **more: object) -> dict[str, float | None]:
    given = dict(drawn) | {"evaluation": {"new": drawn["evaluation"]}, "bootstrap": 0} | more
    result = evaluate_arrays(**given)  # type: ignore[arg-type]
    return {each.estimator: each.value for each in result.policy("new").estimates}


def test_flat_arrays_with_offsets_give_what_tables_give() -> None:
    drawn = arrays(500, 3)
    flat = {name: array.ravel() if array.ndim == 2 else array for name, array in drawn.items()}
    assert ours(flat, offsets=np.arange(0, 1501, 3)) == pytest.approx(ours(drawn), abs=1e-14)


def test_a_log_longer_than_a_chunk_is_gone_through_in_chunks() -> None:
    drawn = arrays(2 * CHUNK + 5, 2)
    w = (drawn["evaluation"] / drawn["logging"])[
        np.arange(2 * CHUNK + 5), drawn["chosen"].astype(int)
    ]
    assert ours(drawn)["ips"] == pytest.approx(float((w * drawn["reward"]).mean()), abs=1e-12)


def test_single_precision_and_integer_arrays_are_taken() -> None:
    drawn = arrays(200, 3)
    narrow = {
        name: array.astype(np.float32 if array.dtype == np.float64 else np.int8)
        for name, array in drawn.items()
    }
    assert ours(narrow) == pytest.approx(ours(drawn), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"logging": None}, "propensity"),
        ({"logging": np.full((9, 3), 1 / 3)}, "shapes"),
        ({"chosen": np.full(10, 3)}, "row 0: the logged action 3"),
        ({"chosen": np.zeros(9, int)}, "'chosen' has 9 rows"),
        ({"reward": np.full(10, 2.0)}, "row 0: reward is 2"),
        ({"reward": np.full(10, np.nan)}, "row 0: reward is nan"),
        ({"propensity": np.zeros(10)}, "row 0: propensity is 0"),
        ({"q": np.ones((10, 2))}, "shapes"),
        ({"evaluation": {"new": np.full((10, 3), 0.5)}}, "'new'.*decision '0'.*sum to 1.5"),
        ({"offsets": np.arange(10)}, "offsets"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, object], text: str) -> None:
    drawn: dict[str, object] = dict(arrays(10, 3))
    drawn["evaluation"] = {"new": drawn["evaluation"]}
    with pytest.raises(UserError, match=text):
        evaluate_arrays(**(drawn | changes))  # type: ignore[arg-type]
