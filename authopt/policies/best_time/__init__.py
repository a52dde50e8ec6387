"""A supervised model of approval by route and time, played greedily."""

from authopt.policies.best_time.best_time import FAMILY, BestTime

__all__ = ["FAMILY", "BestTime"]
