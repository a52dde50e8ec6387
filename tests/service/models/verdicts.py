"""Verdicts of the gate on models of a registry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from authopt.learning.gate.settings import Gate
from authopt.learning.gate.trained_on import fingerprint_of
from authopt.learning.gate.verdict import (
    GainBound,
    GateCheck,
    GateVerdict,
    Judged,
    Outcome,
    Slice,
)
from authopt.rollout.promotion import lineage_of
from service.models.archive import archive
from service.models.registry import Model, add_model
from tests.service.models.models_to_add import policy_file


def verdict(spec: str, passes: bool, live: str = "uniform") -> GateVerdict:
    now = datetime.now(UTC)
    lower = 0.01 if passes else -0.01
    outcome = Outcome.PASS if passes else Outcome.FAIL
    check = GateCheck("gain", "Gain", outcome, 0.02, lower, None, 0.0, f"at least {lower:+.2f}")
    return GateVerdict(
        Judged(spec, "online", 0.9, fingerprint_of(spec)),
        Judged(live, live, 0.88),
        Slice("log.parquet", 1_000, 900, now - timedelta(days=9), now, "logged"),
        "approved",
        None,
        "decision",
        0.02,
        (GainBound("sequence", lower, None, 0.975, True, True),),
        (check,),
        (),
        Gate(),
    )


def judged(
    engine: Engine, folder: Path, passes: bool, live: str = "uniform", epsilon: float = 0.2
) -> Model:
    """A model with a verdict in its lineage."""
    spec = policy_file(folder, epsilon)
    lineage = lineage_of(verdict(spec, passes, live))
    model, _ = add_model(engine, "default", "tests", archive(spec), "", lineage)
    return model
