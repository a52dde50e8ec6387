"""The section ``[alarms]`` of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from service.alarms.config_section import alarms_in
from service.alarms.settings import Mailbox, Webhook, alarms_of

ENVIRON = {"OPS_SECRET": "0123456789abcdef", "MAIL_PASSWORD": "pw"}


def test_a_section_names_webhooks_and_mailboxes_and_takes_secrets_from_the_environment() -> None:
    config = alarms_of(
        {
            "outcomes_within_s": 120,
            "least_firing_s": 60,
            "webhooks": {"ops": {"url": "https://ops.example/hook", "secret_env": "OPS_SECRET"}},
            "mail": {
                "people": {
                    "host": "mail.example",
                    "sender": "a@example.org",
                    "to": ["b@example.org"],
                    "user": "a",
                    "password_env": "MAIL_PASSWORD",
                }
            },
        },
        "authopt.toml: [alarms]",
        ENVIRON,
    )

    webhook, mailbox = config.channels
    assert isinstance(webhook, Webhook)
    assert webhook.secret == ENVIRON["OPS_SECRET"]
    assert isinstance(mailbox, Mailbox)
    assert (mailbox.port, mailbox.starttls, mailbox.password) == (587, True, "pw")
    assert config.outcomes_within_s == 120
    assert config.alarms.holding.least_firing_s == 60


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"web": {}}, "unknown field `web`"),
        ({"webhooks": {"Ops!": {"url": "https://a.example"}}}, "'Ops!': expected small letters"),
        ({"webhooks": {"ops": {"url": "ftp://a.example"}}}, "url: expected https://HOST/PATH"),
        ({"webhooks": {"ops": {"url": "https://u:p@a.example"}}}, "without a user or password"),
        ({"webhooks": {"ops": {"url": "https://a.example", "secret_env": "NO"}}}, "NO is not set"),
        ({"mail": {"a": {"host": "h", "sender": "x", "to": ["b@c.d"]}}}, "'x' is no address"),
        (
            {
                "mail": {
                    "a": {
                        "host": "h",
                        "sender": "a@b.c",
                        "to": ["b@c.d"],
                        "starttls": False,
                        "user": "u",
                        "password_env": "MAIL_PASSWORD",
                    }
                }
            },
            "a password is not sent without starttls",
        ),
    ],
)
def test_what_is_unsound_is_refused_and_named(section: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        alarms_of(section, "authopt.toml: [alarms]", ENVIRON)


def test_a_merchant_without_a_section_has_that_of_the_top(tmp_path: Path) -> None:
    path = tmp_path / "authopt.toml"
    path.write_text(
        "[alarms]\noutcomes_within_s = 5\n[tenants.own.alarms]\noutcomes_within_s = 7\n"
        '[tenants.plain]\npolicy = "uniform"\n'
    )

    found = {name: alarms_in(path, name).outcomes_within_s for name in ("default", "own", "plain")}

    assert found == {"default": 5, "own": 7, "plain": 5}
