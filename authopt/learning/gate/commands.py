"""``authopt gate``: may a candidate replace the live policy?"""

from __future__ import annotations

from pathlib import Path

import click

from authopt.learning.gate.option_flags import (
    conditions,
    override_option,
    settings_option,
    with_override,
)
from authopt.learning.log_options import (
    log_argument,
    max_weight_option,
    reward_model_option,
    reward_option,
    strict_option,
)
from authopt.terminal import (
    console,
    distinct_files,
    json_option,
    new_file,
    print_json,
    tracked,
)

EPILOG = """\b
Examples:
  authopt gate later.parquet --candidate vw:model.vw --live logged
  authopt gate later.parquet --candidate vw:new.vw --live vw:live.vw --out verdict.json
  authopt gate later.parquet --candidate vw:new.vw --live priority:routes=a,b,c --settings gate.toml
  authopt gate later.parquet --candidate vw:new.vw --live logged --override "outage of atlas"
"""


@click.command("gate", epilog=EPILOG)
@log_argument
@click.option(
    "--candidate", required=True, metavar="SPEC", help="The policy that wants to go live."
)
@click.option(
    "--live",
    required=True,
    metavar="SPEC",
    help="The policy that it would replace; `logged` for the one that made LOG.",
)
@reward_option("approved; column:NAME:LOW:HIGH; or money:FILE.toml (see data/rewards/README.md).")
@settings_option
@override_option
@click.option(
    "--out",
    type=new_file,
    metavar="FILE.json",
    help="Write the verdict. If the file holds one on the same two policies by a log with the same "
    "beginning, this is a further look, and the error spent on looks is added up.",
)
@reward_model_option("doubly robust estimates")
@max_weight_option(", declared beforehand")
@strict_option
@json_option
def gate(
    log: Path,
    candidate: str,
    live: str,
    reward_text: str,
    gate_settings: Path | None,
    override: str | None,
    out: Path | None,
    reward_model: bool,
    max_weight: float | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Judge by LOG whether a candidate may replace the live policy.

    It passes if the lower bound of its gain exceeds the margin and no guardrail fails: support in
    the log, sound propensities, a log later than its training, no segment (issuer, country,
    merchant, network) shown to be worse by more than a tolerance, cost per approval, attempts per
    payment, share of traffic on one route, exploration kept and what it costs. Both policies are
    judged as they stand. Exits with 1 if it does not pass, reasons shown.

    Two bounds share the error: one that holds at all times, and one for a fixed log, whose share of
    the error shrinks with every look. So ask again whenever the log has grown, into the same --out.
    """
    from functools import partial

    from authopt.learning.gate.log_gate import judge_log
    from authopt.learning.gate.verdict import write_verdict
    from authopt.logs.files import open_log
    from authopt.rewards import parse_reward

    distinct_files("LOG, --settings and --out", log, gate_settings, out)
    opened = open_log(log)
    verdict = judge_log(
        opened,
        candidate,
        live,
        conditions(gate_settings),
        reward=parse_reward(reward_text),
        with_model=reward_model,
        max_weight=max_weight,
        strict=strict,
        before=out,
        track=partial(tracked, total=opened.num_rows, size=len),
    )
    verdict = with_override(verdict, override)
    if out is not None:
        write_verdict(out, verdict)
    if as_json:
        from authopt.learning.gate.verdict import as_file

        print_json(as_file(verdict))
    else:
        from authopt.learning.gate.tables import print_verdict

        print_verdict(verdict, console())
        if out is not None:
            console().print(f"verdict: {out}")
    verdict.raise_if_failed()
