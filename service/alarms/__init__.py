"""Alarms of the service: raised from the summaries, kept in the audit log, sent out."""
