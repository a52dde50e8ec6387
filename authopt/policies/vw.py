"""Vowpal Wabbit's contextual bandit (``--cb_explore_adf``) as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.vw_text import VwText
from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.uniform import uniform
from authopt.policies.vw_floor import lifted, lifted_one
from authopt.policies.vw_manifest import MADE_BY, VwManifest, read_manifest
from authopt.policies.vw_workspace import VwWorkspace
from authopt.sampling import normalise, normalise_one

PROBE_TOLERANCE = 1e-6
"""Most that a probability of a probe may differ; VW computes in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class VwPolicy:
    """A trained model. Its probabilities are VW's own, in float64, renormalised and lifted.

    Every eligible action of a decision with k actions gets at least ``epsilon / k``, whatever the
    explorer (``authopt.policies.vw_floor``). A route that was never taken in training, and of which
    no property is known either, gets exactly that and no more: what VW would say of it rests on no
    outcome. Where nothing is known of any route of a decision, all actions are alike.

    Attributes
    ----------
    manifest
        how the model was made.
    workspace
        the model.
    text
        writes the examples that the model is asked about.
    """

    manifest: VwManifest
    workspace: VwWorkspace
    text: VwText
    name: str = "vw"

    @classmethod
    def load(cls, path: Path) -> VwPolicy:
        """Load a model that ``authopt train`` made, and check that it is whole.

        The bytes are checked against the manifest's sha256, and the probe decisions of the manifest
        must get the probabilities that they got when the model was made.

        Raises
        ------
        UserError
            If the model or its manifest is missing, damaged, or answers otherwise than it did.
        """
        manifest = read_manifest(path)
        policy = cls(manifest, VwWorkspace(path), VwText(manifest.features))
        policy._check_probes(path)
        return policy

    @property
    def may_log(self) -> bool:
        """Whether every eligible action has a probability above 0, so that its log can judge."""
        return self.manifest.floor > 0.0

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the same whatever other decisions are in the batch."""
        if batch.m == 1:
            return np.ones(1)
        nameless = self.nameless(batch)
        if nameless is None:
            return self._asked(batch)
        scored = ~nameless | self.text.described(batch)
        if scored.all():
            return self._asked(batch, nameless)
        return self._mixed(batch, scored, nameless)

    def nameless(self, batch: DecisionBatch) -> BoolArray | None:
        """bool[m], actions whose route the model never saw taken; None where there are none."""
        known = self.manifest.routes
        if known.keys() >= set(batch.routes):
            return None
        is_known = np.array([route in known for route in batch.routes], np.bool_)
        nameless = ~is_known[batch.action_route]
        return nameless if nameless.any() else None

    def _asked(self, batch: DecisionBatch, nameless: BoolArray | None = None) -> FloatArray:
        ask = self.workspace.probabilities
        if batch.n == 1:
            told = normalise_one(ask(self.text.one(batch, nameless)))
            return np.array(lifted_one(told, self.manifest.floor))
        found: list[float] = []
        for block in self.text.blocks(batch, nameless=nameless):
            for text in block.to_pylist():
                found += ask(text)
        return lifted(batch, normalise(batch, np.array(found, np.float64)), self.manifest.floor)

    def _mixed(self, batch: DecisionBatch, scored: BoolArray, nameless: BoolArray) -> FloatArray:
        """VW over the actions that it can score; the others get their share of exploration."""
        if isinstance(batch, LoggedBatch):
            batch = batch.decisions()
        alike = uniform(batch)
        asked = batch.sum_by_decision(scored.astype(np.float64)) > 0
        probability = alike.copy()
        rows = np.flatnonzero(asked)
        if not len(rows):
            return probability
        in_asked = np.repeat(asked, batch.counts)
        some = batch.take(rows).keep_actions(scored[in_asked])
        explored = np.where(scored, 0.0, self.manifest.floor * alike)
        left = np.repeat(1.0 - batch.sum_by_decision(explored), batch.counts)
        probability[in_asked] = explored[in_asked]
        at = np.flatnonzero(in_asked & scored)
        probability[at] = left[at] * self._asked(some, nameless[at])
        return normalise(batch, probability)

    def _check_probes(self, path: Path) -> None:
        for number, probe in enumerate(self.manifest.probes, start=1):
            found = self.probabilities(probe.batch())
            expected = np.array(probe.probabilities)
            if found.shape != expected.shape or np.abs(found - expected).max() > PROBE_TOLERANCE:
                from vowpalwabbit import __version__

                raise UserError(
                    f"{path}: probe {number} gets the probabilities {np.round(found, 6).tolist()}, "
                    f"but had {np.round(expected, 6).tolist()} when the model was made (Vowpal "
                    f"Wabbit {self.manifest.vw_version} then, {__version__} now). "
                    f"Train again: {MADE_BY}"
                )


def _make(file: Path | None, _: Options) -> VwPolicy:
    assert file is not None
    return VwPolicy.load(file)


FAMILY = Family("vw:FILE.vw[,epsilon=0.05]", _make, (EPSILON,), takes_file=True, needs_file=True)
