"""One look for reports, console and notebooks: stylesheet, palette, chart defaults."""
