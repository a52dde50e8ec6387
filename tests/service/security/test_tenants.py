"""Merchants of one service never see or change what another one has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.openapi.operations import OPERATIONS
from service.settings import TenantSettings
from tests.service.in_process import problem, running, settings_in
from tests.service.security.keys import ALL, bearing, key

TENANTS = {
    "acme": TenantSettings(policy="uniform", routes=("acme-one", "acme-two")),
    "zeta": TenantSettings(policy="priority:routes=zeta-one,epsilon=0.1", routes=("zeta-one",)),
}
OTHER = {"acme": "zeta", "zeta": "acme"}
READING = [each.path for each in OPERATIONS if each.method == "GET" and each.scope is not None]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, dict[str, str]]]:
    folder: Path = tmp_path_factory.mktemp("tenants")
    with running(settings_in(folder, tenants=TENANTS)) as app:
        yield app, {name: key(app, *ALL, tenant=name) for name in TENANTS}


def send(served: tuple[Flask, dict[str, str]], tenant: str, path: str, body: Any) -> Any:
    app, keys = served
    return app.test_client().post(path, json=body, headers=bearing(keys[tenant]))


def see(served: tuple[Flask, dict[str, str]], tenant: str, path: str) -> str:
    app, keys = served
    answer = app.test_client().get(path, headers=bearing(keys[tenant]))
    return cast(str, answer.get_data(as_text=True))


def test_each_decides_with_routes_of_its_own(served: tuple[Flask, dict[str, str]]) -> None:
    for name, tenant in TENANTS.items():
        body = {"decision_id": "same", "payment_id": "p", "attempt": 1}
        answer = send(served, name, "/v1/decisions", body).get_json()
        offered = [*answer["actions"], *answer["removed"]]
        assert {each["route"] for each in offered} == set(tenant.routes)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(sorted(TENANTS)),
        st.sampled_from(["decide", "tell", "kill", "down", "up"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=6,
)


@given(actions=ACTIONS)
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_of_one_is_seen_by_another(
    served: tuple[Flask, dict[str, str]], actions: list[tuple[str, str, int]]
) -> None:
    for tenant, action, number in actions:
        # Ids that both use, with values that only one does.
        mark = f"only-{tenant}"
        decision = {"decision_id": f"d{number}", "payment_id": f"p{number}", "attempt": 1}
        bodies: dict[str, tuple[str, Any]] = {
            "decide": ("/v1/decisions", decision | {"context": {"x_mark": mark}}),
            "tell": ("/v1/outcomes", {"decision_id": f"d{number}", "response_code": mark}),
            "kill": ("/v1/policies/kill", {"reason": mark}),
            "down": (f"/v1/routes/{TENANTS[tenant].routes[0]}", {"state": "down", "reason": mark}),
            "up": (f"/v1/routes/{TENANTS[tenant].routes[0]}", {"state": "up", "reason": mark}),
        }
        path, body = bodies[action]
        assert send(served, tenant, path, body).status_code in (200, 409)
    for tenant, other in OTHER.items():
        for path in READING:
            for number in range(4 if "{" in path else 1):
                told = see(
                    served,
                    tenant,
                    path.replace("{payment_id}", f"p{number}").replace(
                        "{decision_id}", f"d{number}"
                    ),
                )
                assert f"only-{other}" not in told
                assert f"{other}-" not in told


def test_another_ones_ranking_cannot_be_activated(served: tuple[Flask, dict[str, str]]) -> None:
    body = {"decision_id": "ranked", "payment_id": "p", "attempt": 1}
    ranked = send(served, "acme", "/v1/rank", body).get_json()
    done = {"route": ranked["action"]["route"]}
    problem(send(served, "zeta", "/v1/decisions/ranked/activation", done), 404)
    assert send(served, "acme", "/v1/decisions/ranked/activation", done).status_code == 200


def test_one_that_kills_its_policy_leaves_the_others_alive(
    served: tuple[Flask, dict[str, str]],
) -> None:
    send(served, "acme", "/v1/policies/kill", {"reason": "on fire"})
    answers = {
        name: send(served, name, "/v1/decisions", {"payment_id": "p", "attempt": 1}).get_json()
        for name in TENANTS
    }
    assert answers["acme"]["fallback"] is not None
    assert "on fire" not in json.dumps(answers["zeta"])


def test_the_audit_log_names_who_did_what(served: tuple[Flask, dict[str, str]]) -> None:
    send(served, "zeta", "/v1/policies/pin", {"reason": "peak season"})
    rows = json.loads(see(served, "zeta", "/v1/changes?kind=policy"))["changes"]
    assert (rows[-1]["actor"], rows[-1]["reason"]) == ("zeta's", "peak season")
    assert {row["tenant"] for row in rows} == {"zeta"}
