"""Imitates a router, and acts by a better policy in a share of decisions that grows by and by.

The router is known by a conditional logit of what it took (``authopt.logs.propensity``), fitted on
its log: what is imitated are probabilities given the context, so a router that looked at what the
log does not hold is imitated on average only. Each payment is imitated by the model of one fold,
as its id says: new payments as well as those that it was judged on. In a share of decisions the
better policy decides instead, everywhere or for some payments. What is logged has exact
probabilities all the while, so that each step can be judged before the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.logs.propensity import PropensityModel
from authopt.policies.apprentice.router_file import ApprenticeFile, record_of, router_of
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.protocol import Policy
from authopt.policies.state_file import read_state, write_state
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import manifest_path
from authopt.policies.wrapped_file import WrappedRecord, load_wrapped, save_wrapped
from authopt.whole_file import write_whole

MADE_BY = "authopt apprentice LOG --out apprentice.json --better SPEC"


@dataclass(frozen=True, slots=True)
class Only:
    """Payments that the better policy may act on: those with some values in a column."""

    column: str
    values: tuple[str, ...]

    def share(self, batch: DecisionBatch) -> FloatArray:
        """float64[n], 1 for these payments and 0 for others."""
        column = batch.context.get(self.column)
        if not isinstance(column, Categorical):
            return np.zeros(batch.n)
        wanted = np.array([*(each in self.values for each in column.categories), False])
        return np.asarray(wanted[column.codes], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Apprentice:
    """The router's probabilities, with a share of a better policy's.

    Attributes
    ----------
    router
        that is imitated.
    better
        policy to act by; None as long as there is none.
    acting
        share of decisions that the better one makes, 0 to 1.
    only
        payments that it may act on; None for all.
    """

    router: PropensityModel
    better: Policy | None = None
    acting: float = 0.0
    only: Only | None = None
    name: str = "apprentice"

    def __post_init__(self) -> None:
        if not 0.0 <= self.acting <= 1.0:
            raise UserError(f"acting of an apprentice is {self.acting:g}; expected 0 to 1")
        if self.acting and self.better is None:
            raise UserError(
                "an apprentice that knows no better policy can only imitate. Name one with "
                "--better when it is made, or leave out acting"
            )

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]."""
        if not batch.n:
            return np.zeros(0)
        imitated = self.router.probabilities(batch)
        if self.better is None or not self.acting:
            return imitated
        share = np.full(batch.n, self.acting)
        if self.only is not None:
            share *= self.only.share(batch)
        by_action = np.repeat(share, batch.counts)
        return np.asarray(
            (1.0 - by_action) * imitated + by_action * self.better.probabilities(batch)
        )

    @classmethod
    def load(cls, path: Path) -> Apprentice:
        """Load what :func:`save_apprentice` saved; it imitates until it is told to act.

        Raises
        ------
        UserError
            If a file is missing or unsound.
        """
        from authopt.policies.spec import load_policy

        state = read_state(path, ApprenticeFile, "an apprentice", MADE_BY)
        try:
            router = router_of(state.router)
        except ValueError as error:
            raise UserError(
                f"{path}: the router is damaged: {error}. Make one with: {MADE_BY}"
            ) from None
        if isinstance(state.better, WrappedRecord):
            return cls(router, load_wrapped(path, state.better))
        return cls(router, None if state.better is None else load_policy(state.better))


def save_apprentice(path: Path, router: PropensityModel, better: tuple[str, Policy] | None) -> None:
    """Write an apprentice; a better policy that has files is copied to beside it.

    Parameters
    ----------
    path
        the file; copies are named ``STEM.wrapped.SUFFIX``.
    router
        that is imitated.
    better
        spec of the better policy, and the policy; None for none.

    Raises
    ------
    UserError
        If a file cannot be written, or the better policy cannot stand beside the apprentice.
    """
    found = None if better is None else _better_record(path, *better)
    write_state(path, ApprenticeFile(record_of(router), found))


def _better_record(path: Path, spec: str, policy: Policy) -> str | WrappedRecord:
    if isinstance(policy, VwPolicy):
        # Its manifest and its bytes belong together as they are.
        source = Path(spec.partition(":")[2].strip())
        copy = path.with_name(f"{path.stem}.wrapped{path.suffix}")
        try:
            for original, to in ((source, copy), (manifest_path(source), manifest_path(copy))):
                write_whole(to, original.read_bytes())
        except OSError as error:
            raise UserError(f"{copy}: cannot be written: {error.strerror}") from None
        return WrappedRecord(f"{VwPolicy.__module__}:{VwPolicy.__qualname__}", copy.name)
    record = save_wrapped(policy, path) if ":" in spec else None
    if record is not None:
        return record
    if any(Path(each.rpartition("=")[2]).is_file() for each in spec.partition(":")[2].split(",")):
        raise UserError(
            f"policy {spec!r} cannot be kept beside an apprentice. Name a policy that is one file, "
            "such as vw:model.vw; epsilon is a key of the apprentice itself"
        )
    return spec


def _only(options: Options) -> Only | None:
    text = options.text("only")
    if text is None:
        return None
    column, _, values = text.partition(":")
    named = tuple(each.strip() for each in values.split("+") if each.strip())
    if not column.strip() or not named:
        raise SpecError(
            f"policy {options.spec!r}: only is {text!r}; expected a column and values, such as "
            "network:visa+mastercard"
        )
    return Only(column.strip(), named)


def _make(file: Path | None, options: Options) -> Apprentice:
    assert file is not None
    acting = options.number("acting", 0.0)
    return replace(Apprentice.load(file), acting=acting, only=_only(options))


FAMILY = Family(
    "apprentice:FILE.json[,acting=0.25][,only=network:visa+mastercard][,epsilon=0.02]",
    _make,
    ("acting", "only", EPSILON),
    takes_file=True,
    needs_file=True,
)
