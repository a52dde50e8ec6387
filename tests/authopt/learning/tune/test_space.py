from __future__ import annotations

import pytest

from authopt.errors import UserError
from authopt.learning.tune.space import SPACE, Candidate, draw, grid, parse_over
from authopt.policies.vw_options import VwOptions


def test_the_defaults_are_always_the_first_candidate() -> None:
    for candidates in (draw(SPACE, VwOptions(), 5, 0), grid({"power_t": (0.0,)}, VwOptions())):
        assert candidates[0].label == "default"
        assert candidates[0].vw_options(VwOptions()) == VwOptions()


def test_what_is_drawn_depends_on_the_seed_alone_and_has_no_double() -> None:
    one = draw(SPACE, VwOptions(), 20, 3)
    assert one == draw(SPACE, VwOptions(), 20, 3) != draw(SPACE, VwOptions(), 20, 4)
    assert len(set(one)) == len({each.key for each in one}) == 20


def test_a_small_space_is_exhausted() -> None:
    found = draw({"power_t": (0.0, 0.5)}, VwOptions(), 50, 0)
    assert {dict(each.values)["power_t"] for each in found} == {0.0, 0.5}


def test_what_does_not_go_together_is_passed_over() -> None:
    space = {"explorer": ("epsilon", "squarecb"), "weighting": ("regression", "ips")}
    found = {each.values for each in grid(space, VwOptions())}
    assert (("explorer", "squarecb"), ("weighting", "ips")) not in found
    assert len(found) == 3


def test_options_that_have_no_part_in_the_targets_are_not_tried() -> None:
    space = {"targets": ("dr",), "weighting": ("regression", "ips")}
    assert len(grid(space, VwOptions())) == 2


def test_what_is_given_holds_where_it_is_not_tried() -> None:
    base = VwOptions(epsilon=0.2, bits=18)
    options = Candidate((("learning_rate", 0.1),)).vw_options(base)
    assert (options.epsilon, options.bits, options.learning_rate) == (0.2, 18, 0.1)


def test_dimensions_are_read_from_text() -> None:
    assert parse_over(["learning-rate=0.1,0.2", "targets=dr", "policies=2,8"]) == {
        "learning_rate": (0.1, 0.2),
        "targets": ("dr",),
        "policies": (2, 8),
    }


@pytest.mark.parametrize(
    "text", ["learning_rate", "nothing=1", "epsilon=0.1", "power_t=fast", "targets=guess"]
)
def test_what_cannot_be_tried_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected"):
        parse_over([text])


def test_a_grid_that_would_never_end_is_refused() -> None:
    with pytest.raises(UserError, match="at most 2,000"):
        grid({f"x{number}": (0, 1) for number in range(12)}, VwOptions())
