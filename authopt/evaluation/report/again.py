"""The command that makes an evaluation again."""

from __future__ import annotations

import shlex

from authopt.evaluation.result import Evaluation


def command(evaluation: Evaluation) -> str | None:
    """The command that makes this evaluation again; None where the log was in memory."""
    log = evaluation.log
    if log.path is None:
        return None
    words = ["authopt", "evaluate", log.path]
    for policy in evaluation.policies:
        if policy.is_logging_policy:
            continue
        words += ["--policy", policy.spec]
    if log.reward_spec != "approved":
        words += ["--reward", log.reward_spec]
    words += ["--cluster", log.cluster, "--confidence", _exact(evaluation.confidence)]
    words += ["--bootstrap", str(evaluation.bootstrap)]
    for policy in evaluation.policies:
        largest = policy.diagnostics.largest_weight_possible
        if policy.diagnostics.largest_weight_source == "declared" and largest is not None:
            words += ["--max-weight", _exact(largest)]
            break
    if evaluation.reward_model is None:
        words.append("--no-reward-model")
    words += evaluation.options
    return shlex.join(words)


def _exact(value: float) -> str:
    return str(value).removesuffix(".0")
