"""Bring a foreign file of payment attempts into the form of an attempt log, by a mapping."""

from authopt.logs.importing.mapping import Mapping, load_mapping
from authopt.logs.importing.run import ImportSummary, import_file

__all__ = ["ImportSummary", "Mapping", "import_file", "load_mapping"]
