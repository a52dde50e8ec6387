"""What the card networks and the merchant allow: a mask over actions, with a reason for each."""

from authopt.rules.apply import DATA_UPDATED, DEFAULT_RULES, Allowed, Rules, apply_rules, load_rules
from authopt.rules.tables import Category, Permission

__all__ = [
    "DATA_UPDATED",
    "DEFAULT_RULES",
    "Allowed",
    "Category",
    "Permission",
    "Rules",
    "apply_rules",
    "load_rules",
]
