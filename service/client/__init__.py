"""Client of the decision service, for the process that takes payments.

It needs Python's standard library alone, so it brings nothing into that process, and starts at
once.
"""

from service.client.client import Client
from service.client.decision import ClientError, Decision, Refused, Unavailable

__all__ = ["Client", "ClientError", "Decision", "Refused", "Unavailable"]
