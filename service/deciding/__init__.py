"""From a checked request to an action that is allowed, in time, whatever fails."""
