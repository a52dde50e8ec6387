"""Follow a log's payments again, with another policy or with the running service.

Where the action taken is the log's, the log's outcome comes back; where it is another one, the
outcome is that of a fitted model or of a world with known truth, and the payment goes its own way
from there on. With a model that is a what-if, not an estimate: for an estimate with an interval,
see ``authopt evaluate``.
"""
