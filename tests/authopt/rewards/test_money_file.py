"""The file of a reward in money is checked before a row is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.rewards import MoneyReward, parse_reward
from tests.authopt.rewards.money_cases import PRICES, REWARD, money_reward

README = Path(__file__).parents[3] / "data" / "rewards" / "README.md"


def test_a_reward_gives_the_text_and_the_files_that_make_it(tmp_path: Path) -> None:
    made = money_reward(tmp_path)
    again = parse_reward(made.spec)
    assert isinstance(again, MoneyReward)
    assert again.files == (tmp_path / "reward.toml", tmp_path / "prices.toml")
    assert again.currency == "EUR"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"EUR"', '"EU"'), "key currency: 'EU' is no ISO 4217 currency"),
        (("share = 0.10", "share = 1.5"), "key margin.share: is 1.5; expected 0 to 1"),
        (("share = 0.10", ""), "missing required field `share` - at `\\$.margin`"),
        (("[largest]", "[greatest]"), "unknown field `greatest`"),
        (("amount_minor = 100_000", "amount_minor = 0"), "key largest.amount_minor: is 0"),
        (('prices = "prices.toml"', ""), "key prices: is missing, and fees.from is 'prices'"),
        (('"prices.toml"', '"none.toml"'), "none.toml: cannot be read"),
        (("fees_minor = 2_000", "fees_minor = -1"), "key largest.fees_minor: is -1"),
        (("[margin]", "churn = true\n[margin]"), "key largest.churn_minor: belongs to churn"),
        (("[margin]", "[fees]\nfrom = 'log'\n[margin]"), "key prices: is not used"),
        (("[margin]", "[fees]\nfrom = 'x'\n[margin]"), "Invalid enum value 'x'"),
        (("[margin]", "[chargebacks]\nfee_minor = -1\n[margin]"), "chargebacks.fee_minor: is -1"),
        (
            ("[margin]", "[chargebacks]\nfee_minor = 1\nas_of = 'now'\n[margin]"),
            "key chargebacks.as_of: is 'now'; expected a day",
        ),
        (
            ("[margin]", "[chargebacks]\nfee_minor = 1\nfraud_score = 2.0\n[margin]"),
            "key chargebacks.fraud_score: is 2",
        ),
    ],
)
def test_an_unsound_file_is_an_error_that_names_the_key(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in REWARD
    with pytest.raises(UserError, match=message):
        money_reward(tmp_path, REWARD.replace(*change, 1))


def test_rates_of_the_reward_go_before_those_of_the_prices(tmp_path: Path) -> None:
    text = REWARD + "\n[[rates]]\ncurrency = 'USD'\nfrom = 2026-01-01\nrate = 0.5\n"
    assert money_reward(tmp_path, REWARD).rates.factor("USD", "EUR", 1) == pytest.approx(0.8)
    assert money_reward(tmp_path, text).rates.factor("USD", "EUR", 1) == 0.5
    assert PRICES.count("0.8") == 1


def test_the_examples_of_the_documentation_are_sound(tmp_path: Path) -> None:
    reward, prices = re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    found = money_reward(tmp_path, reward, prices)
    assert found.prices is not None
    assert found.chargebacks is not None
    assert found.churn


def test_the_files_beside_it_are_sound() -> None:
    assert parse_reward(f"money:{README.with_name('psp-routing.toml')}").bounds == (-1_000, 7_000)
