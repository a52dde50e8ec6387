from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from authopt.errors import UserError
from authopt.learning.vw_option_flags import (
    VW_FLAGS,
    VW_OPTIONS,
    vw_option_flags,
    vw_options_of,
)
from authopt.policies.vw_options import CB_TYPES, VwOptions


def given(*arguments: str) -> dict[str, Any]:
    """What a command with the options gets."""
    found: dict[str, Any] = {}

    @click.command()
    @vw_option_flags
    def command(**options: Any) -> None:
        found.update(options)

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return found


def test_without_options_everything_is_as_vw_options_has_it() -> None:
    options = given()
    assert set(options) == set(VW_FLAGS)
    assert vw_options_of(options) == VwOptions()


@pytest.mark.parametrize("name", [name for name in VW_OPTIONS if name != "optimistic"])
def test_the_help_tells_the_default_that_holds(name: str) -> None:
    @click.command()
    @vw_option_flags
    def command(**_: Any) -> None: ...

    option = next(each for each in command.params if each.name == name)
    assert isinstance(option, click.Option)
    assert option.help is not None
    told = option.help.partition("[default: ")[2].rstrip("]")
    default = getattr(VwOptions(), name)
    assert told.split()[0] == (default if isinstance(default, str) else f"{default:g}")


def test_every_field_but_those_that_come_from_the_log_is_an_option() -> None:
    of_the_log = {"cost_range", "start"}
    assert set(VW_OPTIONS) == {each.name for each in fields(VwOptions)} - of_the_log


@pytest.mark.parametrize("explorer", CB_TYPES)
def test_an_explorer_needs_no_more_than_its_name(explorer: str) -> None:
    assert vw_options_of(given("--explorer", explorer)).explorer == explorer


def test_what_needs_propensities_gets_them_unless_it_is_told_otherwise() -> None:
    assert vw_options_of(given("--cb-type", "dr")).weighting == "ips"
    with pytest.raises(UserError, match="expected ips"):
        vw_options_of(given("--cb-type", "dr", "--weighting", "regression"))
    with pytest.raises(UserError, match="expected mtr"):
        vw_options_of(given("--cb-type", "dr", "--explorer", "squarecb"))


def test_numbers_flags_and_the_file_of_routes_arrive(tmp_path: Path) -> None:
    (tmp_path / "routes.toml").write_text("")
    options = given(
        *("--explorer", "regcb", "--no-optimistic", "--mellowness", "0.5", "--merchant-own"),
        *("--routes", str(tmp_path / "routes.toml")),
    )
    assert options["routes"] == tmp_path / "routes.toml"
    assert options["merchant_own"] is True
    chosen = vw_options_of(options)
    assert (chosen.optimistic, chosen.mellowness) == (False, 0.5)


@pytest.mark.parametrize("base", [None, VwOptions(optimiser="coin")])
def test_a_size_of_steps_for_coin_betting_is_refused_and_not_left_unused(
    base: VwOptions | None,
) -> None:
    optimiser = () if base else ("--optimiser", "coin")
    with pytest.raises(UserError, match="--learning-rate, --power-t: the optimiser coin"):
        vw_options_of(given(*optimiser, "--learning-rate", "0.3", "--power-t", "0"), base)
    assert vw_options_of(given(*optimiser, "--l2", "0.1"), base).optimiser == "coin"
