"""Worlds with known truth: payments whose chances are known, and what any policy makes of them."""
