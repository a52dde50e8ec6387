"""A store with some of everything that the console shows, and the pages to see it on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

import msgspec
import numpy as np
from sqlalchemy import Engine, insert, select, update

from authopt.learning.gate.settings import Gate
from authopt.learning.gate.trained_on import fingerprint_of
from authopt.learning.gate.verdict import (
    GainBound,
    GateCheck,
    GateVerdict,
    Judged,
    Look,
    Outcome,
    Slice,
)
from authopt.look import charts
from authopt.policies.online import OnlineVw
from authopt.rollout.canary import judge_canary
from authopt.rollout.harm import Tallies
from authopt.rollout.promotion import lineage_of
from benchmarks._console_store import EXPERIMENT, ROUTES, TENANT, make_store
from service.models.archive import archive
from service.models.registry import add_model
from service.people.roles import Role
from service.people.users import add_user, disable, set_password
from service.reports.archive import add_report
from service.shadows.duty import follow_shadows
from service.store.changes import changing, record_change
from service.store.engine import open_engine
from service.store.migrate import migrate
from service.store.records import microseconds
from service.store.tables import changes, decisions, deliveries
from service.trials import duty as trials
from service.trials.duty import judge_trials
from service.trials.finding import Point, TrialFinding
from service.trials.operating import (
    WantedPolicy,
    roll_back_canary,
    start_canary,
    start_experiment,
)
from service.trials.shadowing import turn_on
from service.trials.trial import CANARY, LIVE, PAYMENT, Arm, Trial
from service.watch.findings import keep_finding

PASSWORD = "four quiet green lamps"
PEOPLE: Mapping[str, Role] = {"ann": Role.ADMIN, "olaf": Role.OPERATOR, "vera": Role.VIEWER}
SHADOW = "cautious"
_LEFT = "theo@shop.example"
REPORT = "Evaluation of the log of May"

_DAY_US = 86_400_000_000
_BEFORE_DAYS = 29


@dataclass(frozen=True, slots=True)
class Demo:
    """What a visitor may look for.

    Attributes
    ----------
    url
        of the database.
    admitted, refused
        sha256 of the model that the gate let through, and of one that it did not.
    report
        sha256 of the report.
    payment
        id of a payment with several attempts.
    decision
        number of one of its decisions.
    """

    url: str
    admitted: str
    refused: str
    report: str
    payment: str
    decision: int

    def pages(self) -> dict[str, str]:
        """Addresses of the pages by a name for each."""
        model, report = self.admitted[:12], self.report[:12]
        return {
            "overview": "",
            "routes": "/routes",
            "route-down": f"/routes/down?route={ROUTES[0]}",
            "payments": "/payments",
            "payment": f"/payments/{self.payment}",
            "decision": f"/decisions/{self.decision}",
            "policies": "/policies",
            "model": f"/policies/models/{model}",
            "model-refused": f"/policies/models/{self.refused[:12]}",
            "promote": f"/policies/models/{model}/promote",
            "promote-refused": f"/policies/models/{self.refused[:12]}/promote",
            "roll-back": "/policies/roll-back",
            "canary": "/policies/canary",
            "canary-start": "/policies/canary/start",
            "shadow": f"/policies/shadows/{SHADOW}",
            "shadow-on": "/policies/shadow-on",
            "experiments": "/experiments",
            "experiment": f"/experiments/{EXPERIMENT}",
            "experiment-plan": "/experiments/plan",
            "experiment-start": "/experiments/start",
            "experiment-stop": f"/experiments/{EXPERIMENT}/stop",
            "reports": "/reports",
            "report-add": "/reports/add",
            "report": f"/reports/{report}",
            "alarms": "/alarms",
            "audit": "/audit",
            "users": "/users",
            "user-add": "/users/add",
            "user-role": "/users/olaf/role",
            "user-disable": "/users/vera/disable",
            "user-last-admin": "/users/ann/disable",
            "user-password": "/users/vera/password",
            "password": "/password",
        }


def make_demo(folder: Path, n: int) -> Demo:
    """Make the store in a folder, with about n decisions of four weeks that end now."""
    url = f"sqlite:///{folder / 'authopt.db'}"
    engine = open_engine(url, 30.0)
    migrate(engine)
    now = datetime.now(UTC)
    with changing(engine) as connection:
        for name, role in PEOPLE.items():
            add_user(connection, name, TENANT, role, PASSWORD, actor="demo")
        set_password(connection, "ann", PASSWORD, actor="ann")
        add_user(connection, _LEFT, TENANT, Role.OPERATOR, PASSWORD, actor="ann", reason="on call")
        disable(connection, _LEFT, actor="ann", reason="left the company")
    admitted, refused = (_model(engine, folder, passes, now) for passes in (True, False))
    turn_on(
        engine,
        TENANT,
        "olaf",
        SHADOW,
        WantedPolicy(f"priority:routes={ROUTES[1]},epsilon=0.1"),
        "what would one route do?",
    )
    salt = _canary(engine)
    _experiment(engine)
    _as_of_long_ago(engine)
    make_store(engine, n, microseconds(now))
    _look(engine, now)
    _found_of_canary(engine, salt, now)
    _alarms(engine, now)
    with changing(engine) as connection:
        report, _ = add_report(
            connection, TENANT, "ann", _report_page(), "evaluation", REPORT, "for the archive"
        )
        found = connection.execute(
            select(decisions.c.payment_id, decisions.c.number).where(decisions.c.attempt == 3)
        ).first()
    assert found is not None, "too few decisions for a payment with three attempts"
    engine.dispose()
    return Demo(url, admitted, refused, report.sha256, *found)


def serving(demo: Demo, port: int) -> Sequence[str]:
    """The command that serves the store."""
    told = ["serve", "--policy", "uniform", "--routes", ",".join(ROUTES), "--port", str(port)]
    return [sys.executable, "-m", "authopt", *told, "--database", demo.url, "--threads", "8"]


def _model(engine: Engine, folder: Path, passes: bool, now: datetime) -> str:
    path = folder / f"online-{'may' if passes else 'april'}.json"
    OnlineVw(epsilon=0.05 if passes else 0.08).save(path)
    spec = f"online:{path}"
    lineage = {"spec": spec, **lineage_of(_verdict(spec, passes, now))}
    model, _ = add_model(engine, TENANT, "ann", archive(spec), "trained on May", lineage)
    return model.sha256


def _verdict(spec: str, passes: bool, now: datetime) -> GateVerdict:
    lower = 0.0031 if passes else -0.0012
    first, last = now - timedelta(days=29), now - timedelta(days=1)
    checks = (
        GateCheck(
            "gain",
            "Gain",
            Outcome.PASS if passes else Outcome.FAIL,
            0.0064,
            lower,
            None,
            0.0,
            f"the lower bound of the gain is {lower:+.4f}; it must exceed +0.0000",
        ),
        GateCheck(
            "support", "Support in the log", Outcome.PASS, 0.981, None, None, 0.9, "98.1% of it"
        ),
        GateCheck(
            "segments",
            "No segment worse",
            Outcome.PASS,
            0.001,
            None,
            None,
            0.01,
            "no segment is shown to be worse by more than 0.01",
        ),
        GateCheck(
            "cost",
            "Cost per approval",
            Outcome.UNKNOWN,
            None,
            None,
            None,
            None,
            "no fees in the log",
        ),
    )
    return GateVerdict(
        Judged(spec, "online", 0.8921, fingerprint_of(spec)),
        Judged("logged", "logged", 0.8857),
        Slice("may.parquet", 61_204, 50_333, first, last, "logged"),
        "approved",
        None,
        "decision",
        0.0064,
        (
            GainBound("sequence", lower, None, 0.975, True, True),
            GainBound("empirical-bernstein", lower - 0.0008, 0.0139, 0.975, False, False),
        ),
        checks,
        (Look(last, 61_204, first, last, 0.025, lower, passes),),
        Gate(),
    )


def _canary(engine: Engine) -> str:
    """One that was rolled back; its salt."""
    trial = Trial(CANARY, CANARY, "", (), PAYMENT, 0.05, "", wait_s=3_600)
    wanted = WantedPolicy("priority:routes=nuvei,epsilon=0.05")
    made = start_canary(engine, TENANT, "olaf", trial, wanted, "does it earn more?")
    with changing(engine) as connection:
        roll_back_canary(connection, TENANT, "watch", "it does harm")
    return made.salt


def _found_of_canary(engine: Engine, salt: str, now: datetime) -> None:
    """What its watcher found, hour by hour, until it did harm for sure."""
    history, verdict = [], None
    for hours in range(1, 25):
        canary, live = 60 * hours, 1_140 * hours
        paid = [[live * 0.11, live * 0.89]], [[canary * 0.21, canary * 0.79]]
        verdict = judge_canary(Tallies.of_payments(0.05, *(np.rint(each) for each in paid)))
        at_us = microseconds(now - timedelta(days=_BEFORE_DAYS) + timedelta(hours=hours))
        three = verdict.difference, verdict.lower, verdict.upper
        history.append(Point(at_us, canary + live, {CANARY: three}))
        if verdict.state == "rolled-back":
            break
    assert verdict is not None
    last = history[-1]
    found = TrialFinding(
        salt=salt,
        arms=[LIVE, CANARY],
        counted=last.payments,
        until_us=last.at_us,
        left_out={},
        reading=None,
        canary=msgspec.to_builtins(verdict),
        why=verdict.why,
        history=history,
        complete=True,
    )
    with changing(engine) as connection:
        content = msgspec.to_builtins(found)
        keep_finding(connection, TENANT, CANARY, LIVE, content, last.at_us)


def _as_of_long_ago(engine: Engine) -> None:
    """All that was changed so far was changed before the payments came."""
    earlier_us = changes.c.changed_at_us - _BEFORE_DAYS * _DAY_US
    with changing(engine) as connection:
        connection.execute(update(changes).values(changed_at_us=earlier_us))


def _experiment(engine: Engine) -> None:
    arms = Arm("live", ""), Arm("learned", "")
    trial = Trial(
        "experiment",
        EXPERIMENT,
        "",
        arms,
        PAYMENT,
        0.5,
        "",
        segments=("network",),
        guardrails=({"metric": "fallback", "tolerance": 0.02},),
    )
    wanted = {"live": WantedPolicy(LIVE), "learned": WantedPolicy("uniform")}
    start_experiment(engine, TENANT, "olaf", trial, wanted, "does learning pay?")


def _look(engine: Engine, now: datetime) -> None:
    """As the watcher does, but for the smallest steps, so that there is a history."""
    now_us = microseconds(now)
    with patch.object(trials, "STEPS", 1):
        while judge_trials(engine, TENANT, now_us):
            pass
    while follow_shadows(engine, TENANT, now_us):
        pass


def _alarms(engine: Engine, now: datetime) -> None:
    def told(minutes: int, state: str, what: str, **figures: float) -> dict[str, object]:
        since_us = microseconds(now - timedelta(minutes=minutes))
        return {"state": state, "since_us": since_us, "what": what, "figures": figures, "links": {}}

    down = "route-down:nuvei", {"kind": "route-down", "dimension": "route", "value": "nuvei"}
    rate = "rate:issuer:Bank d", {"kind": "rate", "dimension": "issuer", "value": "Bank d"}
    raised = (
        (down, told(190, "firing", "nuvei approved 3 of 41 payments.", approved=3, attempts=41)),
        (down, told(190, "resolved", "nuvei approves payments as usual again.", approved=37)),
        (
            rate,
            told(
                25, "firing", "Bank d approves 71.2% of first attempts; 86.0% is usual.", rate=0.712
            ),
        ),
    )
    with changing(engine) as connection:
        for at, ((subject, of), value) in enumerate(raised):
            number = record_change(connection, TENANT, "watch", "alarm", subject, value | of, "")
            fault = None if at < len(raised) - 1 else "the server answered 503"
            sent = {
                "tenant": TENANT,
                "channel": "on-call",
                "change": number,
                "tries": 1 if fault is None else 3,
                "next_try_us": microseconds(now + timedelta(minutes=1)),
                "delivered_at_us": microseconds(now) if fault is None else None,
                "fault": fault,
            }
            connection.execute(insert(deliveries), sent)


def _report_page() -> bytes:
    """A report as the evaluation makes them: with the script and the look of the product in it."""
    from plotly.graph_objects import Bar, Figure

    style = files("authopt.look").joinpath("style.css").read_text(encoding="utf-8")
    figure = Figure(Bar(x=list(ROUTES), y=[0.88, 0.86, 0.87, 0.85, 0.89, 0.86]))
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{REPORT}</title>"
        f"<style>{style}</style><script>{charts.script()}</script></head><body>"
        f"<header><h1>{REPORT}</h1></header><main>"
        "<section class=verdict><p>online is better than what made the log by 0.64 points "
        "(0.31 to 0.97).</p></section>"
        f"{figure.to_html(full_html=False, include_plotlyjs=False, div_id='of-routes')}"
        "</main></body></html>"
    ).encode()
