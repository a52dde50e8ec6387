"""A campaign of injected faults against a real service under load, on SQLite and on PostgreSQL.

Each round starts clients, injects one fault at a random moment, takes it back, stops the clients
and holds what is on disk against what they were answered. At the end of a campaign nothing may be
left in the spool, and the learner must have learned each decision with an outcome once.

Clients ask again, with the same id, when a connection breaks or is refused. What they are refused
while the main process is dead, as nothing listens then, is counted apart.

The clock of the machine is not stepped, which would need a library that is loaded into every
process: the clients' clocks are, in the moments that they give for decisions and outcomes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from benchmarks._fault_checks import Found, check_learned, check_round, is_drained
from benchmarks._fault_kinds import (
    CLOCK,
    HELD_S,
    ON_BOTH,
    ON_POSTGRES,
    ON_SQLITE,
    WILD,
    Fault,
    Scene,
    clock_step,
)
from benchmarks._service_load import Load, Noted
from benchmarks._service_stack import Postgres, Stack, running_postgres, small_disk

FULL_ROUNDS = 1_000
QUICK_ROUNDS = 2 * len(ON_BOTH) + len(ON_SQLITE) + len(ON_POSTGRES)
ROUNDS_OF_A_SERVICE = 50
DISK_MB = 192
SEED = 20_260_301


@dataclass(slots=True)
class Outcome:
    """What became of all rounds of a fault."""

    rounds: int = 0
    recorded: int = 0
    unrecorded: int = 0
    fallbacks: int = 0
    outcomes: int = 0
    tried_again: int = 0
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, noted: Noted, found: Found, seconds: float) -> None:
        """One more round."""
        self.rounds += 1
        self.recorded += len(noted.answered)
        self.unrecorded += noted.unrecorded
        self.fallbacks += noted.fallbacks.total()
        self.outcomes += sum(map(len, noted.told.values()))
        self.tried_again += noted.tried_again
        self.refused += noted.refused_while_down
        self.lost += [*found.lost, *(f"{each}: changed" for each in noted.changed)]
        self.twice += found.twice
        self.without += noted.without_action
        self.seconds += seconds


Outcomes = dict[tuple[str, str], Outcome]


def main() -> int:
    """Run the campaign; 1 if something was lost, applied twice or without an action."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each kind")
    parser.add_argument(
        "--rounds", type=int, help=f"{FULL_ROUNDS:,} by default: one to two hours on two cores"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="kinds of faults whose names hold this text")
    parser.add_argument("--store", choices=["SQLite", "PostgreSQL"])
    given = parser.parse_args()
    rounds = given.rounds or (QUICK_ROUNDS if given.quick else FULL_ROUNDS)
    outcomes: Outcomes = defaultdict(Outcome)
    kinds = {"SQLite": {**ON_BOTH, **ON_SQLITE}, "PostgreSQL": {**ON_BOTH, **ON_POSTGRES}}
    share = len(kinds["SQLite"]) / sum(map(len, kinds.values()))
    counts = {"SQLite": round(rounds * share), "PostgreSQL": rounds - round(rounds * share)}
    if given.store:
        counts = {given.store: rounds}
    disk_note = ""
    with tempfile.TemporaryDirectory(prefix="authopt-faults-") as name:
        folder = Path(name)
        # PostgreSQL runs as a user of its own where this runs as root.
        folder.chmod(0o755)
        for store, number in counts.items():
            chosen = {kind: fault for kind, fault in kinds[store].items() if given.only in kind}
            plan = _plan(list(chosen), number, Random(f"{given.seed}-{store}"))
            with ExitStack() as held:
                postgres = None
                if store == "PostgreSQL":
                    postgres = held.enter_context(running_postgres(folder / "postgres"))
                for at in range(0, len(plan), ROUNDS_OF_A_SERVICE):
                    part = plan[at : at + ROUNDS_OF_A_SERVICE]
                    random = Random(f"{given.seed}-{store}-{at}")
                    where = folder / f"{store.lower()}{at}"
                    filled = _run(store, where, part, chosen, random, postgres, outcomes, at)
                    disk_note = disk_note or filled
    return _verdict(outcomes, disk_note)


def _plan(kinds: list[str], rounds: int, random: Random) -> list[str]:
    """Each kind as often as any other, in a random order."""
    plan = [kinds[at % len(kinds)] for at in range(rounds)]
    random.shuffle(plan)
    return plan


def _run(
    store: str,
    where: Path,
    plan: list[str],
    kinds: Mapping[str, Fault],
    random: Random,
    postgres: Postgres | None,
    outcomes: Outcomes,
    first: int,
) -> str:
    """Some rounds on one service; how its disk was filled, where it was."""
    with _scene(store, where, random, postgres) as scene:
        for at, kind in enumerate(plan, first):
            began = time.monotonic()
            name = f"r{at}"
            noted = _round(scene, kind, kinds[kind], name)
            found = check_round(scene.engine, scene.stack, name, noted)
            outcomes[store, kind].add(noted, found, time.monotonic() - began)
            if sys.stderr.isatty():
                print(f"\r{store}: round {at + 1}", end="", file=sys.stderr)
        _finish(scene, outcomes[store, "in the end"])
    if postgres is not None:
        return ""
    return "a disk of memory was filled" if scene.disk else "RLIMIT_FSIZE stood in for a full disk"


def _round(scene: Scene, kind: str, fault: Fault, name: str) -> Noted:
    random = scene.random
    skew = clock_step if kind == CLOCK else None
    load = Load(scene.stack, name, random.randrange(2**32), skew, kind == WILD)
    load.start()
    time.sleep(random.uniform(0.1, HELD_S))
    with fault(scene):
        time.sleep(random.uniform(0.2, HELD_S))
    time.sleep(random.uniform(0.1, 0.4))
    return load.end()


def _finish(scene: Scene, outcome: Outcome) -> None:
    """Whether all reached the store, and was learned once."""
    began = time.monotonic()
    noted = Noted()
    if not is_drained(scene.stack):
        noted.changed.append("the spool still holds records a minute after the last fault")
    scene.stack.stop_learner()
    done = subprocess.run(
        [sys.executable, "-m", "authopt", *scene.stack.learning(), "--once"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"authopt learn --once failed:\n{done.stderr}")
    outcome.add(noted, check_learned(scene.engine), time.monotonic() - began)


@contextmanager
def _scene(store: str, where: Path, random: Random, postgres: Postgres | None) -> Iterator[Scene]:
    from authopt.policies.online import OnlineVw
    from service.store.engine import open_engine

    logs = where / "logs"
    logs.mkdir(parents=True)
    model = logs / "model.json"
    OnlineVw(epsilon=0.1).save(model)
    with ExitStack() as held:
        data = where / "data"
        data.mkdir()
        disk = data if postgres is None and held.enter_context(small_disk(data, DISK_MB)) else None
        url = (
            f"sqlite:///{data / 'authopt.db'}"
            if postgres is None
            else postgres.database(where.name)
        )
        stack = Stack(store, data, url, logs)
        held.callback(stack.stop)
        stack.start()
        engine = open_engine(url, 10.0)
        held.callback(engine.dispose)
        stack.start_learner()
        yield Scene(stack, engine, random, postgres, disk, model)


def _verdict(outcomes: Outcomes, disk_note: str) -> int:
    table = Table(title="Injected faults" + (f" ({disk_note})" if disk_note else ""))
    for heading in (
        *("store", "fault", "rounds", "recorded", "not", "fallback", "outcomes", "asked again"),
        *("refused while dead", "lost", "twice", "no action", "s/round"),
    ):
        table.add_column(heading, justify="left" if heading in ("store", "fault") else "right")
    console = Console(highlight=False, width=150)
    for (store, kind), one in sorted(outcomes.items()):
        figures = (one.rounds, one.recorded, one.unrecorded, one.fallbacks, one.outcomes)
        bad = (len(one.lost), len(one.twice), len(one.without))
        more = (one.tried_again, one.refused, *bad)
        seconds = f"{one.seconds / one.rounds:.1f}"
        table.add_row(store, kind, *(f"{each:,}" for each in (*figures, *more)), seconds)
    console.print(table)
    for (store, kind), one in sorted(outcomes.items()):
        for what in [*one.lost[:3], *one.twice[:3], *one.without[:3]]:
            console.print(f"{store}, {kind}: {what}", markup=False, soft_wrap=True)
    ends = [one for (_, kind), one in outcomes.items() if kind == "in the end"]
    rounds = sum(each.rounds for each in outcomes.values()) - sum(each.rounds for each in ends)
    lost, twice, without = (
        sum(len(getattr(each, name)) for each in outcomes.values())
        for name in ("lost", "twice", "without")
    )
    print(
        f"faults: {rounds:,} rounds, {lost} lost, {twice} twice, {without} without an action "
        "(bar 0, 0, 0)"
    )
    return 0 if lost == twice == without == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
