"""The archive keeps reports byte for byte, and takes no page that is none."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from authopt.errors import UserError
from service.models.refusals import NotThere
from service.reports import archive
from service.reports.archive import add_report, find_report, list_reports, page_of
from service.reports.commands import reports
from service.reports.told import LONGEST, told_by
from service.store.changes import changing
from service.store.engine import open_engine
from service.store.migrate import migrate

PAGE = (
    b"<!DOCTYPE html>\n<title> Log of\n May </title><section class='a verdict'>"
    b"<p>One.</p><dl>2</dl><p>Two.</p></section><p>More.</p>"
)


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "authopt.db")
    return f"sqlite:///{tmp_path / 'authopt.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def either(database_url: str) -> Iterator[Engine]:
    """Of each kind of database in turn."""
    engine = open_engine(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


def put(engine: Engine, page: bytes = PAGE, tenant: str = "default", **more: str) -> str:
    with changing(engine) as connection:
        kind, title = more.get("kind", "evaluation"), more.get("title")
        return add_report(connection, tenant, "ann", page, kind, title)[0].sha256


def test_a_report_is_kept_byte_for_byte_with_what_it_says(either: Engine) -> None:
    sha256 = put(either)
    with either.connect() as connection:
        report = find_report(connection, "default", sha256[:6])
        assert page_of(connection, "default", sha256) == PAGE
        assert list_reports(connection, "default", before=report) == []
    assert (report.title, report.summary) == ("Log of May", {"verdict": "One. Two."})
    assert report.size == len(PAGE)


def test_the_same_page_is_kept_once(engine: Engine) -> None:
    assert put(engine) == put(engine, title="another")
    with engine.connect() as connection:
        assert [each.title for each in list_reports(connection, "default")] == ["Log of May"]


def test_merchants_do_not_see_each_others(engine: Engine) -> None:
    sha256 = put(engine, tenant="other")
    with engine.connect() as connection:
        assert list_reports(connection, "default") == []
        with pytest.raises(NotThere):
            find_report(connection, "default", sha256)


@pytest.mark.parametrize(
    ("page", "more", "why"),
    [
        (b"%PDF-1.7", {}, "no page of HTML"),
        (b"<html>\xff", {}, "not in UTF-8"),
        (b"<html><p>1", {}, "title"),
        (PAGE, {"title": "t" * 257}, "title"),
        (PAGE, {"title": "card 4111111111111111"}, "card number"),
        (PAGE, {"kind": "novel"}, "kind 'novel'"),
    ],
)
def test_what_is_no_report_is_refused(
    engine: Engine, page: bytes, more: dict[str, str], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        put(engine, page, **more)


def test_a_page_that_is_too_large_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", len(PAGE) - 1)
    with pytest.raises(UserError, match="too large"):
        put(engine)


def test_a_page_whose_bytes_were_damaged_is_not_shown(engine: Engine) -> None:
    sha256 = put(engine)
    with changing(engine) as connection:
        connection.exec_driver_sql("UPDATE reports SET page = x'00'")
    with engine.connect() as connection, pytest.raises(UserError, match="damaged"):
        page_of(connection, "default", sha256)


@given(st.text(max_size=2_000))
def test_whatever_a_page_says_it_is_told_in_few_words(text: str) -> None:
    told = told_by(f"<html><p class=verdict>{text}</p>")
    assert len(told.verdict) <= LONGEST


def test_scripts_and_looks_are_not_taken_for_what_a_page_says() -> None:
    told = told_by(
        "<html><style>p > b {}</style><title>A &amp; B</title><SCRIPT>'<title>x</title>'</SCRIPT >"
        '<div class="big verdict"><p>1 &lt; 2<script>a</p></script>.</p><p>So <b>be</b> it</p>'
        "</div><p>No.</p>"
    )
    assert (told.title, told.verdict) == ("A & B", "1 < 2. So be it")


@pytest.mark.parametrize(
    "part", ["<!", "<a b=", "<script>", "<script></script>", "</p class=", "&"]
)
def test_a_page_made_to_keep_the_reader_busy_does_not(part: str) -> None:
    begun = time.process_time()
    told_by("<html>" + part * (4_000_000 // len(part)))
    assert time.process_time() - begun < 2.0


def run(url: str, *words: str) -> Result:
    return CliRunner().invoke(reports, [*words, "--database", url], catch_exceptions=False)


def test_the_commands_add_list_and_give_back(url: str, tmp_path: Path) -> None:
    page, copy = tmp_path / "report.html", tmp_path / "copy.html"
    page.write_bytes(PAGE)
    made = json.loads(run(url, "add", str(page), "--title", "May", "--json").stdout)
    assert (made["title"], made["new"], made["bytes"]) == ("May", True, len(PAGE))
    assert made["added_by"].startswith("authopt reports (")
    assert made["sha256"][:12] in run(url, "list").stdout
    assert json.loads(run(url, "list", "--json").stdout)[0]["sha256"] == made["sha256"]
    run(url, "export", made["sha256"][:8], "--out", str(copy))
    assert copy.read_bytes() == PAGE
    assert not json.loads(run(url, "add", str(page), "--json").stdout)["new"]
