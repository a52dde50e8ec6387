"""A wrapper that leaves a failing route within seconds, probes it, and comes back by itself."""

from authopt.policies.guard.guarded import FAMILY, Guarded, Standing, wrap
from authopt.policies.guard.health import Outage
from authopt.policies.guard.settings import GuardSettings

__all__ = ["FAMILY", "GuardSettings", "Guarded", "Outage", "Standing", "wrap"]
