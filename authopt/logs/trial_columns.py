"""Custom columns of a log that say which trial a decision was part of, and in which arm."""

from __future__ import annotations

EXPERIMENT, ARM = "x_experiment", "x_arm"
