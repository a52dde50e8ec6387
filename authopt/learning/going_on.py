"""Going on from a model: what the next one takes from it, and what may not differ.

VW's file of a model holds all that its next steps depend on, so that learning a second log from
the model of a first one gives what both would have given in one go. VW refuses some options that
differ from the file's and takes others without a word, interactions among them; so the options are
compared here, before it is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.policies.vw_manifest import MADE_BY, Ancestor, LogRecord, VwManifest, read_manifest
from authopt.policies.vw_options import VwOptions

MAY_CHANGE = frozenset({"epsilon", "learning_rate", "power_t", "decay_learning_rate", "passes"})
"""Options that say how to take the next steps, and nothing of those that were taken."""

_OF_A_FRESH_MODEL = ("--random_seed", "--constant")
"""VW's file holds what became of them; a seed given again is refused with ``bag`` and ``rnd``."""

_FIELDS = {
    "power_t": "power_t",
    "learning_rate": "learning_rate",
    "bit_precision": "bits",
    "random_seed": "seed",
    "constant": "start",
    "initial_t": "initial_t",
    "decay_learning_rate": "decay_learning_rate",
    "l2": "l2",
    "gamma_scale": "gamma_scale",
    "gamma_exponent": "gamma_exponent",
    "mellowness": "mellowness",
    "psi": "psi",
    "lambda": "softness",
    "cover": "policies",
    "bag": "policies",
    "rnd": "policies",
}
"""Fields of ``VwOptions`` that are one number, by VW's names of them."""

_WHOLE = frozenset({"bits", "seed", "policies"})


@dataclass(frozen=True, slots=True)
class Parent:
    """A model that another one goes on from.

    Attributes
    ----------
    model
        its file.
    manifest
        how it was made.
    options
        how it learned and explores. How many passes it took is not kept: 1.
    scale
        what rewards were divided by.
    """

    model: Path
    manifest: VwManifest
    options: VwOptions
    scale: float

    def going_on_with(self, options: VwOptions | None) -> VwOptions:
        """The options of the next model.

        Parameters
        ----------
        options
            those asked for; None for this model's own. ``start`` and ``cost_range``, which come
            from a log, are this model's in any case.

        Raises
        ------
        UserError
            If one that may not change differs from this model's.
        """
        if options is None:
            return self.options
        own = {"start": self.options.start, "cost_range": self.options.cost_range}
        options = replace(options, **own)  # type: ignore[arg-type]
        for name in (field.name for field in fields(VwOptions)):
            asked, had = getattr(options, name), getattr(self.options, name)
            if name not in MAY_CHANGE and asked != had:
                raise UserError(
                    f"{self.model} was made with {name} {had}, and cannot go on with {asked}: what "
                    f"it has learned goes with it. Leave {_flag(name)} out, or train a new model "
                    "without --from"
                )
        return options

    def check_task(
        self, reward: str, to_go: bool | None, of_features: Mapping[str, object]
    ) -> None:
        """Raise a ``UserError`` where the next model would learn something else than this one.

        Parameters
        ----------
        reward
            name of the reward.
        to_go
            whether it is asked for rewards-to-go; None where it is not said.
        of_features
            what is asked for about features, by name: nothing of it may be.
        """
        had = self.manifest
        if reward != had.reward:
            raise UserError(
                f"{self.model} learned from the reward {had.reward!r}, and cannot go on with "
                f"{reward!r}: give the same --reward, or train a new model without --from"
            )
        if to_go is not None and to_go != had.reward_to_go:
            with_it = "with" if had.reward_to_go else "without"
            raise UserError(
                f"{self.model} learned {with_it} the rewards of later attempts, and goes on so: "
                f"leave {'--no-reward-to-go' if had.reward_to_go else '--reward-to-go'} out"
            )
        for name, asked in of_features.items():
            if asked:
                raise UserError(
                    f"{self.model} goes on with the features that it was made with: leave "
                    f"{_flag(name)} out, or train a new model without --from"
                )

    def check_log(self, log: Path) -> None:
        """Raise a ``UserError`` if this model, or one that it went on from, learned this file."""
        size, digest = log.stat().st_size, None
        for known in (self.manifest.log, *(each.log for each in self.manifest.ancestors)):
            if known.sha256 is None or known.size_bytes != size:
                continue
            digest = digest or sha256_of(log)
            if known.sha256 == digest:
                raise UserError(
                    f"{self.model} has already learned from {log}. Give it a later log, or train "
                    "a new model with --passes to learn a log more than once"
                )

    def arguments(self, arguments: list[str]) -> list[str]:
        """VW's command line to go on, of that for a fresh model."""
        words: list[str] = []
        rest = iter(arguments)
        for word in rest:
            if word in _OF_A_FRESH_MODEL:
                next(rest)
            else:
                words.append(word)
        return [*words, "--initial_regressor", str(self.model.resolve())]

    @property
    def learned_until(self) -> datetime | None:
        """When the last payment that it learned from began, or its log ended; UTC."""
        return until(self.manifest.log)

    @property
    def lineage(self) -> tuple[Ancestor, ...]:
        """This model and those that it went on from, the nearest first."""
        had = self.manifest
        return (Ancestor(had.sha256, had.rows, had.targets, had.log), *had.ancestors)


def read_parent(model: Path) -> Parent:
    """A model to go on from, checked to be whole.

    Raises
    ------
    UserError
        If it or its manifest is missing or damaged, or it is of a version whose options or scale
        of rewards are not known.
    """
    manifest = read_manifest(model)
    options = None if manifest.cost_scale is None else _options_of(manifest)
    if options is None or tuple(options.arguments(manifest.features)) != manifest.vw_arguments:
        raise UserError(
            f"{model}: authopt {manifest.authopt_version} made it, and its manifest does not say "
            f"all that is needed to go on from it. Train a new model: {MADE_BY}"
        )
    assert manifest.cost_scale is not None
    return Parent(model, manifest, options, manifest.cost_scale)


def until(log: LogRecord) -> datetime | None:
    """Where learning from a log ends: its last payment's beginning, or its last decision."""
    return log.last_payment or log.last


def sha256_of(file: Path) -> str:
    """The checksum of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _options_of(manifest: VwManifest) -> VwOptions | None:
    """The options that VW's command line was made from; None where it cannot be read."""
    words = dict(zip(manifest.vw_arguments, (*manifest.vw_arguments[1:], ""), strict=True))
    values: dict[str, Any] = {
        "explorer": manifest.explorer,
        "epsilon": manifest.floor,
        "cb_type": manifest.cb_type,
        "weighting": manifest.weighting,
        "optimiser": "coin" if "--coin" in words else "adaptive",
        "optimistic": manifest.explorer != "regcb" or "--regcbopt" in words,
    }
    try:
        for name, field in _FIELDS.items():
            if (word := words.get(f"--{name}")) is not None:
                values[field] = int(word) if field in _WHOLE else float(word)
        if "--cb_min_cost" in words:
            values["cost_range"] = float(words["--cb_min_cost"]), float(words["--cb_max_cost"])
        return VwOptions(**values)
    except (ValueError, KeyError, UserError):
        return None


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
