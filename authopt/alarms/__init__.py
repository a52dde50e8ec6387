"""Alarms: what is out of the usual in the counts of a service, minute by minute."""
