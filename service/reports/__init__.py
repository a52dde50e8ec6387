"""The archive of reports: pages of evaluations, gates and experiments, whole, as they were made."""
