"""Routes: how they do by issuer and the like, and what an operator changes, with why."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from service.store.changes import history
from tests.service.console.some_payments import add_up, came_out, decide
from tests.service.console.visits import post, signed_in
from tests.service.in_process import recorder_of

LIVE = "authopt.live"


def down(app: Flask) -> frozenset[str]:
    return frozenset(app.extensions[LIVE].serving("default").down)


def states(visit: FlaskClient) -> dict[str, str]:
    rows = visit.get("/console/routes?format=json").json["routes"]
    return {row["route"]: row["state"] for row in rows}


def test_an_operator_takes_a_route_down_and_up_again_and_says_why(app: Flask) -> None:
    visit = signed_in(app)
    html = visit.get("/console/routes").text
    assert 'href="/console/routes/down?route=adyen"' in html
    form = visit.get("/console/routes/down?route=adyen").text
    assert "adyen gets no payments any more" in form
    answer = post(visit, "/console/routes/down?route=adyen", reason="it hangs")
    assert (answer.status_code, answer.location) == (303, "/console/routes")
    assert down(app) == {"adyen"}
    after = visit.get("/console/routes").text
    assert "adyen is down." in after
    assert "it hangs" in after
    assert 'href="/console/routes/up?route=adyen"' in after
    post(visit, "/console/routes/up?route=adyen", reason="it is back")
    assert down(app) == frozenset()
    with recorder_of(app).store.engine.connect() as connection:
        told = history(connection, "default", "route", "adyen")
    assert [(each.actor, each.value["state"], each.reason) for each in told] == [
        ("default.operator", "down", "it hangs"),
        ("default.operator", "up", "it is back"),
    ]


def test_a_route_gets_a_weight(app: Flask) -> None:
    visit = signed_in(app)
    post(visit, "/console/routes/weight?route=adyen", reason="a trial", weight="0.5")
    assert app.extensions[LIVE].serving("default").weights == {"adyen": 0.5}
    assert 'value="0.5"' in visit.get("/console/routes/weight?route=adyen").text


def test_the_kill_switch_is_turned_on_and_off(app: Flask) -> None:
    visit = signed_in(app)
    post(visit, "/console/routes/kill", reason="strange choices")
    assert "strange choices" in app.extensions[LIVE].serving("default").killed
    html = visit.get("/console/routes").text
    assert "strange choices" in html
    assert "Let the policy decide again" in html
    assert "strange choices" in visit.get("/console").text
    post(visit, "/console/routes/revive", reason="mended")
    assert app.extensions[LIVE].serving("default").killed is None


def test_a_viewer_changes_nothing_and_is_shown_no_button(app: Flask) -> None:
    visit = signed_in(app, "viewer")
    html = visit.get("/console/routes").text
    assert "Take down" not in html
    assert "Kill switch" not in html
    for path in ("down?route=adyen", "weight?route=adyen", "kill"):
        assert post(visit, f"/console/routes/{path}", reason="x").status_code == 403
    assert down(app) == frozenset()


def test_what_makes_no_sense_is_refused_and_changes_nothing(app: Flask) -> None:
    visit = signed_in(app)
    for path, fields, status in (
        ("down?route=adyen", {}, 422),
        ("down?route=nobody", {"reason": "x"}, 404),
        ("weight?route=adyen", {"reason": "x", "weight": "many"}, 422),
        ("weight?route=adyen", {"reason": "x", "weight": "nan"}, 422),
        ("weight?route=adyen", {"reason": "x", "weight": "1e9"}, 422),
    ):
        assert post(visit, f"/console/routes/{path}", **fields).status_code == status
        # Without the token of a form.
        assert visit.post(f"/console/routes/{path}", data={"reason": "x"}).status_code == 403
    assert set(states(visit).values()) == {"up"}


def test_the_last_route_stays_up(app: Flask) -> None:
    visit = signed_in(app)
    for route in ("adyen", "braintree"):
        post(visit, f"/console/routes/down?route={route}", reason="x")
    answer = post(visit, "/console/routes/down?route=checkout", reason="x")
    assert answer.status_code == 409
    assert "the last one that is up" in answer.text
    assert down(app) == {"adyen", "braintree"}


def test_every_cell_is_the_rate_of_the_decisions_that_it_links_to(app: Flask) -> None:
    for number in range(40):
        issuer = {} if number % 4 == 0 else {"issuer": f"Bank {number % 4}"}
        decide(app, f"d{number}", f"p{number}", **issuer)
        came_out(app, f"d{number}", number % 3 > 0)
    add_up(app)
    visit = signed_in(app)
    html = visit.get("/console/routes?span=24h").text
    cells = visit.get("/console/routes?span=24h&format=json").json["cells"]
    assert sum(cell["answered"] for cell in cells if cell["route"] == "all") == 40
    links = re.findall(
        r'href="(/console/payments\?[^"]*issuer=[^"]+)" title="[^"]*, (\d+) first', html
    )
    assert len(links) == len(cells)
    for address, tries in links:
        behind = visit.get(address.replace("&amp;", "&") + "&format=json").json["decisions"]
        assert len(behind) == int(tries)
        rate = sum(row["outcome"] == "approved" for row in behind) / len(behind)
        assert f">{100 * rate:.2f}%</a>" in html


def test_the_page_is_cut_by_what_is_asked_for(app: Flask) -> None:
    decide(app, "d1", "p1")
    came_out(app, "d1", True)
    add_up(app)
    visit = signed_in(app)
    for by in ("issuer", "country", "network", "attempt", "currency", "merchant"):
        for span in ("24h", "28d"):
            cells = visit.get(f"/console/routes?by={by}&span={span}&format=json").json["cells"]
            assert {cell["answered"] for cell in cells} == {1}
        assert visit.get(f"/console/routes?by={by}").status_code == 200


def test_another_cut_or_span_is_refused(app: Flask) -> None:
    visit = signed_in(app)
    assert visit.get("/console/routes?by=moon").status_code == 422
    assert visit.get("/console/routes?span=1y").status_code == 422
