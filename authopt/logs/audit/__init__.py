"""Can a log be trusted, and what has to be mended: one pass, mergeable sums, a report."""

from authopt.logs.audit.accumulate import AuditSums
from authopt.logs.audit.report import AuditReport, Finding, Level

__all__ = ["AuditReport", "AuditSums", "Finding", "Level"]
