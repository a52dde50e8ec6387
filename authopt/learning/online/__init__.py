"""From decisions and late outcomes to what a policy that learns as it runs may learn from."""

from authopt.learning.online.outcome_queue import OutcomeQueue, Refused

__all__ = ["OutcomeQueue", "Refused"]
