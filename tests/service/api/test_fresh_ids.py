"""Ids that the service makes."""

from __future__ import annotations

import subprocess
import sys
import uuid

from service.api.fresh_ids import fresh_id


def test_every_id_is_a_random_uuid_of_its_own() -> None:
    made = [fresh_id() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    for text in made:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


FORKING = """
import os
from service.api.fresh_ids import fresh_id
fresh_id()
child = os.fork()
print("".join(fresh_id() + " " for _ in range(20)), flush=True)
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_worker_makes_others_than_its_parent() -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True
    )
    made = run.stdout.split()
    assert len(made) == len(set(made)) == 40
