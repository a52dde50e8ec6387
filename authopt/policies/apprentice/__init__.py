"""A policy that first does as the merchant's own router did, and acts by a better one by and by."""

from authopt.policies.apprentice.apprentice import FAMILY, Apprentice

__all__ = ["FAMILY", "Apprentice"]
