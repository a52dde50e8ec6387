"""Whether a simulated log looks like what is published about real ones."""
