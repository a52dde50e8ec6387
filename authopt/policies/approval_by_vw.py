"""The chance of approval by a Vowpal Wabbit model that regressed approvals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.features.vw_text import VwText
from authopt.policies.online.learning_workspace import LearningWorkspace
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_manifest import VwManifest
from authopt.rewards import DEFAULT_REWARD

ONE_REGRESSION = ("epsilon", "squarecb", "regcb", "softmax")
"""Explorers whose model predicts one cost for each action; the others let several vote."""


@dataclass(frozen=True, slots=True, eq=False)
class VwApproval:
    """What VW expects of every action, taken for a chance; it never learns.

    Its regression is linear and knows no bounds, so what it predicts is cut to 0 and 1. A route
    that was never taken in training, and of which no property is known either, has the mean of all.

    Attributes
    ----------
    manifest
        how the model was made.
    """

    manifest: VwManifest
    _workspace: LearningWorkspace
    _text: VwText

    @classmethod
    def load(cls, path: Path) -> VwApproval:
        """Load a model that ``authopt train`` made for the reward ``approved``.

        Raises
        ------
        UserError
            If the model is missing or damaged, or what it predicts is not an attempt's chance of
            approval.
        """
        # Loaded as a policy too, which checks that it answers as it did when it was made.
        manifest = VwPolicy.load(path).manifest
        if manifest.reward != DEFAULT_REWARD.name or manifest.reward_to_go:
            later = " of the payment from an attempt on" if manifest.reward_to_go else ""
            raise UserError(
                f"{path}: learned from the reward {manifest.reward!r}{later}; expected one that "
                "learned whether the attempt was approved: authopt train LOG --no-reward-to-go"
            )
        if manifest.explorer not in ONE_REGRESSION or manifest.targets == "pessimistic":
            raise UserError(
                f"{path}: with the explorer {manifest.explorer} and {manifest.targets} targets the "
                "model does not predict chances of approval; expected the explorer "
                f"{' or '.join(ONE_REGRESSION)}, and observed or dr"
            )
        return cls(manifest, LearningWorkspace([], path.read_bytes()), VwText(manifest.features))

    def approval(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the predicted chance of approval; 0 at ``stop``."""
        if not batch.n:
            return np.zeros(0)
        plain = batch.decisions() if isinstance(batch, LoggedBatch) else batch
        known = np.array([route in self.manifest.routes for route in batch.routes], np.bool_)
        nameless = ~known[batch.action_route]
        texts: list[str] = []
        for block in self._text.blocks(plain, nameless=nameless if nameless.any() else None):
            texts += block.to_pylist()
        cost = np.array(self._workspace.costs(texts), np.float64)
        chance = np.clip(-cost * (self.manifest.cost_scale or 1.0), 0.0, 1.0)
        chance = np.where(nameless & ~self._text.described(batch), self._mean, chance)
        return np.where(batch.is_stop, 0.0, chance)

    @property
    def _mean(self) -> float:
        return min(max(self.manifest.mean_reward, 0.0), 1.0)
