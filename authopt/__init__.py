"""authopt: get more good card payments approved."""

from importlib.metadata import version

__version__ = version("authopt")
