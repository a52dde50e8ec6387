"""``python -m authopt`` is the ``authopt`` command."""

from authopt.cli import main

main()
