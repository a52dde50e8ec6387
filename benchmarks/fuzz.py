"""``python -m benchmarks.fuzz [--quick]``: whatever is sent, no 5xx, no traceback, no PAN on disk.

Inputs are what schemathesis makes of the description at ``/openapi.json``, valid and invalid, and
the description's examples as bytes that are damaged at random, a quarter of them with a card number
in the address, a header or the body. They go to the application in this process (no sockets), on a
SQLite store of its own. The full form sends 100,000.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path

from flask import Flask
from rich.console import Console
from rich.table import Table

from benchmarks._fuzz_campaign import (
    Findings,
    card_numbers_on_disk,
    send_described,
    send_raw,
    watching,
)
from service.openapi.operations import OPERATIONS
from service.server import close
from service.settings import Settings

FULL, QUICK = 100_000, 1_000
DESCRIBED = 0.2
"""Share of inputs that schemathesis makes, which take most of the time."""


class _Running:
    """An application on a store of its own, closed at the end."""

    def __init__(self, folder: Path) -> None:
        from service.app import create_app

        self.app: Flask = create_app(
            Settings(
                policy="uniform",
                routes=("adyen", "braintree", "checkout"),
                database=f"sqlite:///{folder / 'authopt.db'}",
                spool=folder / "authopt.db.spool",
                # What is looked for are wrong answers, not late ones.
                deadline_ms=30_000,
                batch_deadline_ms=30_000,
                store_within_s=30.0,
            )
        )

    def close(self) -> None:
        close(self.app)


def run(total: int) -> tuple[Findings, list[str]]:
    """Send this many inputs; what was seen, and the files with card numbers in them."""
    findings = Findings()
    each = max(1, round(total * DESCRIBED / (2 * len(OPERATIONS))))
    with tempfile.TemporaryDirectory(prefix="authopt-fuzz-") as name:
        folder = Path(name)
        with closing(_Running(folder)) as running, watching(findings):
            send_described(running.app, findings, each)
            send_raw(running.app, findings, total - sum(findings.sent.values()))
        return findings, card_numbers_on_disk(folder, findings.pans)


def main() -> int:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--inputs", type=int, help="How many, in place of both.")
    chosen = parser.parse_args()
    total = chosen.inputs or (QUICK if chosen.quick else FULL)
    start = time.monotonic()
    findings, on_disk = run(total)
    console = Console()
    table = Table(title="inputs and answers", title_justify="left")
    table.add_column("what")
    table.add_column("number", justify="right")
    for kind, count in findings.sent.items():
        table.add_row(f"sent, {kind}", f"{count:,}")
    for status, count in sorted(findings.statuses.items()):
        table.add_row(f"answered {status}", f"{count:,}")
    table.add_row("card numbers sent", f"{len(findings.pans):,}")
    table.add_row("files with card numbers", f"{len(on_disk):,}")
    console.print(table)
    for fault in findings.faults[:20]:
        console.print(fault, markup=False)
    wrong = len(findings.faults) + len(on_disk)
    sent = sum(findings.sent.values())
    took = time.monotonic() - start
    console.print(f"fuzz: {wrong} faults in {sent:,} inputs, {took:.0f} s (bar 0 faults)")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
