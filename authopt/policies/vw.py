"""Vowpal Wabbit's contextual bandit (``--cb_explore_adf``) as a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.vw_text import VwText
from authopt.policies.uniform import uniform
from authopt.policies.vw_manifest import MADE_BY, VwManifest, read_manifest
from authopt.policies.vw_workspace import VwWorkspace
from authopt.sampling import normalise

PROBE_TOLERANCE = 1e-6
"""Most that a probability of a probe may differ; VW computes in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class VwPolicy:
    """A trained model. Its probabilities are VW's own, in float64, renormalised.

    Every eligible action of a decision with k actions gets at least about ``epsilon / k``. A route
    that was never taken in training gets exactly that and no more: what VW would say of it rests on
    no outcome. Where no route of a decision was ever taken, all actions are alike.

    Attributes
    ----------
    manifest
        how the model was made.
    """

    manifest: VwManifest
    _workspace: VwWorkspace
    _text: VwText
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

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the same whatever other decisions are in the batch."""
        known = self.manifest.routes
        if known.keys() >= set(batch.routes):
            return self._asked(batch)
        is_known = np.array([route in known for route in batch.routes], np.bool_)
        of_known_route = is_known[batch.action_route]
        return self._asked(batch) if of_known_route.all() else self._mixed(batch, of_known_route)

    def _asked(self, batch: DecisionBatch) -> FloatArray:
        ask = self._workspace.probabilities
        if batch.n == 1:
            one = np.array(ask(self._text.one(batch)))
            return np.asarray(one / one.sum())
        found: list[float] = []
        for block in self._text.blocks(batch):
            for text in block.to_pylist():
                found += ask(text)
        return normalise(batch, np.array(found, np.float64))

    def _mixed(self, batch: DecisionBatch, known: BoolArray) -> FloatArray:
        """VW over the actions of known routes; the others get their share of exploration alone."""
        if isinstance(batch, LoggedBatch):
            batch = batch.decisions()
        alike = uniform(batch)
        asked = batch.sum_by_decision(known.astype(np.float64)) > 0
        probability = alike.copy()
        rows = np.flatnonzero(asked)
        if not len(rows):
            return probability
        in_asked = np.repeat(asked, batch.counts)
        some = batch.take(rows).keep_actions(known[in_asked])
        explored = np.where(known, 0.0, self.manifest.epsilon * alike)
        left = np.repeat(1.0 - batch.sum_by_decision(explored), batch.counts)
        probability[in_asked] = explored[in_asked]
        at = np.flatnonzero(in_asked & known)
        probability[at] = left[at] * self._asked(some)
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
