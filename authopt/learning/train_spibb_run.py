"""What ``authopt train --policy spibb`` does: count how far a log supports a candidate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.learning.gate.trained_on import file_of
from authopt.learning.spibb import fit_spibb
from authopt.learning.training_log import read_log
from authopt.logs.files import AttemptLog
from authopt.payments import CONTEXT_BY_NAME, CUSTOM_PREFIX
from authopt.policies.spibb import ATTEMPT
from authopt.rewards import Reward
from authopt.terminal import notes


def run_spibb(
    log: AttemptLog, out: Path, reward: Reward, options: dict[str, Any]
) -> dict[str, Any]:
    """Hold a candidate to the live policy where the log hardly took what it wants to do."""
    specs = {name: options[name] for name in ("candidate", "live")}
    for name, spec in specs.items():
        if (file := file_of(spec)) is not None and file.resolve() == out.resolve():
            raise UserError(f"{out}: --out is the file of --{name} {spec}; give it another name")
    columns = tuple(part for part in options["classes"].split("+") if part)
    for name in columns:
        of_context = name in CONTEXT_BY_NAME or name.startswith(CUSTOM_PREFIX)
        if name != ATTEMPT and not (of_context and name in log.columns):
            raise UserError(
                f"{log.path} has no context column {name!r} to form classes by; expected "
                f"{ATTEMPT}, or columns of names, flags or whole numbers, joined by +"
            )
    started = time.monotonic()
    policy = fit_spibb(
        read_log(log, reward, "counting"),
        specs["candidate"],
        specs["live"],
        columns=columns,
        least=options["least"],
    )
    policy.save(out)
    certain = [count for count in policy.counts.values() if count >= policy.least]
    if not certain:
        notes().print(
            f"[bold yellow]warning[/] the log took no action {policy.least} times in any class: "
            "what was made is the live policy. Form wider classes, or count a longer log"
        )
    return {
        "policy": "spibb",
        "spec": f"spibb:{out}",
        "model": out,
        **specs,
        "log": log.path,
        "rows": sum(policy.counts.values()),
        "reward": reward.name,
        "currency": reward.currency,
        "classes": len({key for key, _, _ in policy.counts}),
        "class_columns": columns,
        "least": policy.least,
        "actions": len(policy.counts),
        "certain": len(certain),
        "certain_rows": sum(certain),
        "seconds": round(time.monotonic() - started, 3),
    }
