"""The service that runs, as its callers see it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from service.doctor.finding import Finding, fail, ok, warn

WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    seconds: float


def check_service(url: str, key: str | None) -> Iterator[Finding]:
    """Whether it lives, can do all of its work, and tells its figures.

    Parameters
    ----------
    url
        such as ``http://127.0.0.1:8000``.
    key
        with the scope ``read``; None: it is asked without one.
    """
    alive = _get(f"{url}/healthz", key)
    if isinstance(alive, str) or alive.status != 200:
        found = alive if isinstance(alive, str) else f"{alive.status} for /healthz"
        yield fail("service", f"{url}: {found}", "Start it: authopt serve; or mend --url")
        return
    yield ok("service", f"{url} lives; it answered within {1e3 * alive.seconds:.0f} ms")
    ready = _get(f"{url}/readyz", key)
    if isinstance(ready, str) or ready.status != 200:
        found = ready if isinstance(ready, str) else _detail(ready)
        yield fail("service: ready", found, "It goes on deciding by the static priority meanwhile")
    else:
        told = json.loads(ready.body)
        if told.get("candidate"):
            yield warn(
                "service: ready",
                f"its next policy cannot be loaded: {told['candidate']}",
                "Add the model again and promote it, or: authopt models rollback",
            )
        elif told.get("spooled"):
            yield warn("service: ready", "records wait for the store", "See the point: spool")
        else:
            yield ok("service: ready", "it can do all of its work")
    yield _figures(_get(f"{url}/metrics", key))


def _figures(said: _Answer | str) -> Finding:
    point = "service: metrics"
    if isinstance(said, str):
        return fail(point, said, "Look at its log")
    if said.status in (401, 403):
        return warn(
            point,
            f"{said.status}: not told to this caller",
            "Give a key with the scope read in the environment's AUTHOPT_KEY, or with --key",
        )
    if said.status != 200 or b"authopt_policy_loaded" not in said.body:
        return fail(point, f"{said.status}, and no figures of authopt", "Look at its log")
    return ok(point, f"{said.body.count(b'authopt_'):,} figures")


def _get(url: str, key: str | None) -> _Answer | str:
    """The answer, whatever its status; or why there is none."""
    head = {} if key is None else {"Authorization": f"Bearer {key}"}
    began = time.perf_counter()
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, headers=head), timeout=WITHIN_S) as answer:
            return _Answer(answer.status, answer.read(), time.perf_counter() - began)
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, error.read(), time.perf_counter() - began)
    except (OSError, ValueError) as error:
        return f"no answer ({getattr(error, 'reason', None) or type(error).__name__})"


def _detail(answer: _Answer) -> str:
    try:
        return f"{answer.status}: {json.loads(answer.body)['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status} for /readyz"
