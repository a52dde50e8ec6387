"""What the card networks and the merchant allow: a mask over actions, with a reason for each."""

from authopt.rules.apply import DATA_UPDATED, Allowed, apply_rules
from authopt.rules.merchant import MerchantRules
from authopt.rules.rule_set import DEFAULT_RULES, Rules, load_rules
from authopt.rules.tables import Category, Permission

__all__ = [
    "DATA_UPDATED",
    "DEFAULT_RULES",
    "Allowed",
    "Category",
    "MerchantRules",
    "Permission",
    "Rules",
    "apply_rules",
    "load_rules",
]
