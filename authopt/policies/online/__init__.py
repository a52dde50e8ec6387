"""Vowpal Wabbit that learns while it decides, in one process, from outcomes as they come in."""

from authopt.policies.online.policy import OnlineVw

__all__ = ["OnlineVw"]
