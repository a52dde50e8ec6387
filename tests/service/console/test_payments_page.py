"""A payment is found by its id, and its page tells all that is known of it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
from flask import Flask

from authopt.policies.online import OnlineVw
from service.live.routes import RouteState, set_route
from service.models.archive import archive
from service.models.live_policy import promote_model
from service.models.registry import add_model
from service.store.changes import changing
from service.store.export import logged_batches
from service.store.store import Store
from tests.service.console.some_payments import came_out, decide
from tests.service.console.visits import signed_in
from tests.service.in_process import ROUTES, recorder_of
from tests.service.learning.recorded import decision, outcome


def words(html: str) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_payment_is_found_by_a_part_of_its_id_and_leads_to_its_page(app: Flask) -> None:
    decide(app, "d1", "order-771")
    decide(app, "d2", "order-9")
    came_out(app, "d1", True)
    visit = signed_in(app, "viewer")
    html = visit.get("/console/payments?q=order-77").text
    assert 'href="/console/payments/order-771"' in html
    assert "order-9" not in html
    assert '<span class="tag good">approved</span>' in html
    assert 'href="/console/payments/order-771"' in visit.get("/console/payments?q=d1").text
    assert "No decision is as you asked" in visit.get("/console/payments?q=nobody").text


def test_the_timeline_has_every_attempt_its_actions_and_what_came_of_them(app: Flask) -> None:
    first = decide(app, "d1", "p1", 7200.0)
    came_out(app, "d1", False, fee_minor=12)
    second = decide(app, "d2", "p1", 60.0, attempt=2, previous_response_code="51")
    came_out(app, "d2", True)
    came_out(app, "d2", True, refunded_minor=1999)
    html = signed_in(app).get("/console/payments/p1").text
    said = words(html)
    assert said.index("Attempt 1") < said.index("Attempt 2")
    assert '<span class="tag good">paid</span>' in html
    for decided in (first, second):
        assert f"{decided['propensity']:.4f}" in said
        assert decided["action"]["route"] in said
    assert said.count("drawn") == 2
    assert "fee_minor 12" in said
    assert "told again approved yes response_code 00 refunded_minor 1999" in said


def test_what_was_removed_stands_there_with_why(app: Flask) -> None:
    engine = recorder_of(app).store.engine
    with changing(engine) as connection:
        wanted = RouteState("checkout", up=False, reason="it hangs")
        set_route(connection, "default", "test", ROUTES, wanted)
    app.extensions["authopt.live"].refresh(engine)
    decided = decide(app, "d1", "p1")
    (gone,) = decided["removed"]
    html = signed_in(app).get("/console/payments/p1").text
    assert f"removed: {gone['reason']}" in html
    rows = list(
        csv.DictReader(
            io.StringIO(signed_in(app).get("/console/payments/p1?format=csv&table=actions").text)
        )
    )
    assert {row["route"]: row["removed"] for row in rows} == {
        "adyen": "",
        "braintree": "",
        "checkout": gone["reason"],
    }


def test_a_ranking_says_whether_it_was_carried_out(app: Flask) -> None:
    body = {"decision_id": "d1", "payment_id": "p1", "attempt": 1}
    client = app.test_client()
    assert client.post("/v1/rank", json=body).status_code == 200
    visit = signed_in(app)
    assert "nobody has said what was done" in visit.get("/console/payments/p1").text
    assert "ranked, not activated" in visit.get("/console/payments").text
    done = client.post("/v1/decisions/d1/activation", json={"route": "adyen"})
    assert done.status_code == 200
    assert "Activated" in visit.get("/console/payments/p1").text


def test_a_decision_says_why_and_that_it_would_be_made_so_again(app: Flask) -> None:
    decide(app, "d1", "p1", issuer="Bank")
    visit = signed_in(app)
    address = re.search(r'href="(/console/decisions/\d+)"', visit.get("/console/payments/p1").text)
    assert address is not None
    html = visit.get(address[1]).text
    assert "What the policy thinks of each action" in html
    assert "is drawn between" in html
    assert "does not give the probabilities on record" not in html
    assert "Bank" in html
    scores = visit.get(f"{address[1]}?format=json").json["scores"]
    assert {row["route"] for row in scores} == set(ROUTES)
    assert sum(row["probability"] for row in scores) == pytest.approx(1.0)


def test_the_features_that_mattered_to_a_model_are_told(app: Flask, tmp_path: Path) -> None:
    engine = recorder_of(app).store.engine
    policy = OnlineVw(epsilon=0.2, bits=10)
    rows = [decision(number, route=("adyen", "braintree")[number % 2]) for number in range(40)]
    told = [outcome(number, approved=number % 2 == 0) for number in range(40)]
    Store(engine).keep([*rows, *told])
    for batch in logged_batches(engine):
        policy.update(batch)
    policy.save(tmp_path / "model.json")
    model, _ = add_model(engine, "default", "tests", archive(f"online:{tmp_path}/model.json"), "")
    promote_model(engine, "default", "tests", model.sha256, "")
    app.extensions["authopt.live"].refresh(engine)
    decide(app, "now", "p1")
    html = signed_in(app).get("/console/decisions/41").text
    assert "Features that mattered" in html
    adyen_first = re.search(r"What adds to the difference of their scores, \+([\d.]+)", html)
    assert adyen_first is not None
    table = html[html.index("What adds to the difference") :].partition("</table>")[0]
    parts = re.findall(r"<td>([+−][\d.e−+]+)</td>", table)
    added = sum(float(each.replace("−", "-")) for each in parts)
    assert added == pytest.approx(float(adyen_first[1]), abs=0.002)


def test_any_id_has_a_page(app: Flask) -> None:
    ids = ["a/b", "/a", "..", "a b?c#d", "&<b>", "%41", "ä"]
    for number, payment_id in enumerate(ids):
        decide(app, f"d{number}", payment_id)
    visit = signed_in(app)
    html = visit.get("/console/payments").text
    addresses = re.findall(r'href="(/console/payments?[/?][^"]+)"><code>', html)
    assert len(addresses) == len(ids)
    titles = set()
    for address in addresses:
        page = visit.get(unescape(address))
        assert page.status_code == 200
        title = re.search(r"<h1>Payment (.*)</h1>", page.text)
        assert title is not None
        titles.add(unescape(title[1]))
    assert titles == set(ids)


def test_filters_narrow_down_and_say_so(app: Flask) -> None:
    decide(app, "d1", "p1", issuer="North")
    decide(app, "d2", "p2", issuer="South")
    decide(app, "d3", "p3")
    came_out(app, "d1", False)
    visit = signed_in(app)

    def payments(query: str) -> set[str]:
        rows = visit.get(f"/console/payments?{query}&format=json").json["decisions"]
        return {row["payment_id"] for row in rows}

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert payments("issuer=South") == {"p2"}
    assert payments("issuer=-") == {"p3"}
    assert payments("outcome=declined") == {"p1"}
    assert payments("code=51") == {"p1"}
    assert payments("outcome=none") == {"p2", "p3"}
    assert payments("until=2020-01-01") == set()
    assert payments(f"from={today}&outcome=declined") <= {"p1"}
    html = visit.get("/console/payments?issuer=South&route=adyen").text
    assert 'aria-label="Leave out issuer South"' in html
    assert '<input type="hidden" name="issuer" value="South">' in html
    assert "3 decisions were looked through, which are all of that time." in words(html)


def test_what_is_not_understood_is_refused(app: Flask) -> None:
    visit = signed_in(app)
    for query in ("outcome=maybe", "attempt=x", "from=yesterday", "before=7", "fallback=1"):
        assert visit.get(f"/console/payments?{query}").status_code == 422


def test_nobody_sees_what_is_not_there(app: Flask) -> None:
    visit = signed_in(app)
    assert visit.get("/console/payments/none").status_code == 404
    assert visit.get("/console/payment?id=").status_code == 404
    assert visit.get("/console/decisions/12").status_code == 404
    assert app.test_client().get("/console/payments").status_code == 303
