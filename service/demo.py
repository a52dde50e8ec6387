"""``authopt demo``: the main job on a log, step by step, with the commands that do it.

Every step runs the very command that it shows, so that what works here works at the prompt.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax

from authopt.batch import Categorical
from authopt.errors import UserError
from authopt.logs.files import open_log
from authopt.logs.schema import PropensitySource
from authopt.terminal import ACCENT, console, existing_file

DATA = Path(__file__).parent.parent / "data"
FOREIGN_SUFFIXES = (".csv", ".xlsx", ".gz")
START_LIMIT_S = 30.0


@click.command()
@click.option(
    "--log",
    "source",
    type=existing_file,
    help="Log of card payments: an attempt log (Parquet, dsjson) or a foreign CSV or XLSX. "
    "By default the simulated sample in data/.",
)
@click.option("--mapping", type=existing_file, help="Mapping (TOML) for a foreign file.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for what the demo makes.",
)
def demo(source: Path | None, mapping: Path | None, out: Path) -> None:
    """Run the main job end to end: log, audit, train, evaluate, serve.

    \b
    Examples:
      authopt demo
      authopt demo --log payments.csv --mapping my-mapping.toml
    """
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    log = _attempt_log(source or DATA / "sample.parquet", mapping, out)
    _step(2, "Audit: what is in the log, and can it be trusted?")
    _authopt("log", "audit", log)
    log = _with_propensities(log, out)

    _step(4, "Train a Vowpal Wabbit policy on the earlier payments")
    earlier, later = out / "earlier.parquet", out / "later.parquet"
    _authopt("log", "split", log, "--at", "0.6", "--earlier", earlier, "--later", later)
    model, windowed = out / "model.vw", out / "success-rate.json"
    best = out / "best-route.json"
    _authopt("train", earlier, "--out", model)
    _authopt("train", earlier, "--policy", "success-rate", "--out", windowed, quiet=True)
    _authopt("train", earlier, "--policy", "best-route", "--out", best, quiet=True)

    _step(5, "Evaluate it on the later payments, against the logging policy and the baselines")
    routes = _routes_by_success(earlier)
    report = out / "report.html"
    candidates = [
        f"vw:{model}",
        f"success-rate:{windowed}",
        f"best-route:{best}",
        f"priority:routes={','.join(routes)}",
        "uniform",
    ]
    options = [word for spec in candidates for word in ("--policy", spec)]
    _authopt("evaluate", later, *options, "--report", report)

    _step(6, "Serve it: one live decision and one outcome over HTTP")
    database = f"sqlite:///{out / 'authopt.db'}"
    with _server(f"vw:{model}", routes, database) as base:
        _one_payment(base, later)
    _closing(out, report, model, routes, database, time.monotonic() - started)


def _attempt_log(source: Path, mapping: Path | None, out: Path) -> Path:
    foreign = mapping is not None or source.suffix in FOREIGN_SUFFIXES
    if not foreign:
        _step(1, f"The log: {source}")
        return source
    _step(1, f"Import {source}")
    log = out / "log.parquet"
    chosen = mapping or _mapping_for(source)
    _authopt(
        "log", "import", source, "--mapping", chosen, "--out", log, "--rejects", out / "rejects.csv"
    )
    return log


def _mapping_for(source: Path) -> Path:
    """The mapping in data/mappings whose source columns are all in the file's first line."""
    known = sorted((DATA / "mappings").glob("*.toml"))
    if source.suffix == ".csv":
        with source.open(encoding="utf-8", errors="replace") as file:
            header = {name.strip().strip('"') for name in file.readline().split(",")}
        for path in known:
            columns = tomllib.loads(path.read_text(encoding="utf-8")).get("columns", {})
            if columns and {str(name) for name in columns.values()} <= header:
                return path
    raise UserError(
        f"{source}: no mapping in {DATA / 'mappings'} fits this file. Write one (see "
        f"{DATA / 'mappings' / 'README.md'}) and name it with --mapping or MAPPING=path."
    )


def _with_propensities(log: Path, out: Path) -> Path:
    opened = open_log(log)
    if opened.propensity_source is not PropensitySource.UNKNOWN:
        _step(3, f"Propensities: {opened.propensity_source} in the log, nothing to estimate")
        return log
    _step(3, "The log has no propensities: estimate them")
    filled = out / "log-with-propensities.parquet"
    _authopt("log", "propensities", log, "--out", filled)
    return filled


def _routes_by_success(log: Path) -> list[str]:
    """The log's routes, highest plain success rate first: a merchant's natural waterfall."""
    from authopt.learning.route_rates import route_rates

    rates = route_rates(open_log(log).batches())
    return sorted(rates, key=lambda route: -rates[route])


@contextmanager
def _server(policy: str, routes: list[str], database: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "--policy", policy, "--routes", ",".join(routes)]
    arguments += ["--database", database, "--port", str(port)]
    _show(arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "authopt", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(base, process)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=START_LIMIT_S)


def _wait_until_ready(base: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            said = process.stderr.read() if process.stderr else ""
            raise UserError(f"the server ended with status {process.returncode}: {said.strip()}")
        try:
            with urllib.request.urlopen(f"{base}/readyz", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise UserError(f"the server was not ready after {START_LIMIT_S:.0f} s")


def _one_payment(base: str, log: Path) -> None:
    """Ask for a decision as the last payment's first attempt in the log would have, and answer."""
    decision = _post(f"{base}/v1/decisions", _request_like(log))
    outcome = {
        "decision_id": decision["decision_id"],
        "approved": True,
        "response_code": "00",
        "latency_ms": 412.0,
    }
    _post(f"{base}/v1/outcomes", outcome)


def _request_like(log: Path) -> dict[str, Any]:
    """A request for the log's first decision, as if it happened now."""
    from authopt.payments import CONTEXT_FIELDS, Kind

    batch = next(iter(open_log(log).batches()))
    context: dict[str, Any] = {}
    for field in CONTEXT_FIELDS:
        column = batch.context.get(field.name)
        if column is None or field.name.startswith(("previous", "seconds")):
            continue
        if isinstance(column, Categorical):
            context[field.name] = column[:1].values()[0]
        elif isinstance(column, np.ndarray) and np.isfinite(column[0]):
            number = int(column[0])
            context[field.name] = bool(number) if field.kind is Kind.FLAG else number
    stamp = int(time.time())
    return {
        "decision_id": f"demo-{stamp}",
        "payment_id": f"demo-payment-{stamp}",
        "attempt": 1,
        "context": {name: value for name, value in context.items() if value is not None},
    }


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    out = console()
    out.print(f"\n[bold {ACCENT}]POST {url}[/]")
    out.print(Syntax(json.dumps(body, indent=2), "json", background_color="default"))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        raise UserError(f"POST {url}: {error.code}: {error.read().decode()}") from None
    decoded: dict[str, Any] = json.loads(text)
    out.print(f"[bold {ACCENT}]{status}[/]")
    out.print(Syntax(json.dumps(decoded, indent=2), "json", background_color="default"))
    return decoded


def _step(number: int, title: str) -> None:
    out = console()
    out.print()
    out.print(Rule(f"[bold]{number}/6  {title}", align="left", style=ACCENT))


def _show(arguments: list[str]) -> None:
    console().print(f"[dim]$ authopt {shlex.join(arguments)}[/]", soft_wrap=True)


def _authopt(*words: str | Path, quiet: bool = False) -> None:
    arguments = [str(word) for word in words]
    _show(arguments)
    output = subprocess.PIPE if quiet else None
    ended = subprocess.run(
        [sys.executable, "-m", "authopt", *arguments], stdout=output, text=True, check=False
    )
    if ended.returncode:
        raise UserError(f"the step failed with status {ended.returncode}; see above")


def _closing(
    out: Path, report: Path, model: Path, routes: list[str], database: str, seconds: float
) -> None:
    names = ",".join(routes)
    lines = [
        f"[bold]The report:[/] open {report} in a browser (one file, works offline)",
        "",
        "[bold]Go on with[/]",
        f"  authopt evaluate {out / 'later.parquet'} --policy vw:{model} --json",
        f"  authopt train {out / 'earlier.parquet'} --out my-model.vw --help",
        f"  authopt serve --policy vw:{model} --routes {names} --database {database}",
        "  authopt log import YOUR.csv --mapping YOUR.toml --out your.parquet",
        "  authopt --help",
    ]
    console().print()
    console().print(Panel("\n".join(lines), title=f"done in {seconds:.0f} s", border_style=ACCENT))
