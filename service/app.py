"""The application: the policy, the store and the endpoints, put together."""

from __future__ import annotations

import logging

from flask import Flask, request
from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from authopt.rules import load_rules
from service.active_policy import ActivePolicy, load_active
from service.api import problems
from service.api.card_guard import refuse_in_head
from service.api.decisions import decisions_blueprint
from service.api.health import health_blueprint
from service.api.outcomes import outcomes_blueprint
from service.deciding import Decider
from service.settings import Settings
from service.store.engine import open_engine
from service.store.group_commit import GroupCommit
from service.store.migrate import migrate
from service.store.spool import Spool
from service.store.store import Store

_log = logging.getLogger(__name__)

RECORDER = "authopt.recorder"
"""Key of ``app.extensions`` under which the recorder stands; close it when the app is done."""


def create_app(settings: Settings, active: ActivePolicy | None = None) -> Flask:
    """Make the application of one worker.

    A policy that cannot be loaded and a store that does not answer keep nothing from starting: the
    static priority decides, and the spool records, until they are mended.

    Parameters
    ----------
    settings
        what the operator chose.
    active
        the policy, if it is loaded already.

    Raises
    ------
    UserError
        If the database's URL is unsound.
    """
    active = load_active(settings.policy) if active is None else active
    store = Store(open_engine(settings.database, settings.busy_timeout_s))
    spool = Spool(settings.spool)
    try:
        prepare_store(store, spool)
    except (UserError, SQLAlchemyError, OSError) as error:
        _log.error("the store is not ready: %s", error)
        recall(spool)
    recorder = GroupCommit(store, spool, settings.answer_within_s, settings.retry_store_s)
    app = Flask("service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions[RECORDER] = recorder
    problems.register(app)
    app.before_request(lambda: refuse_in_head(request))
    rules = load_rules(merchant=settings.merchant)
    decider = Decider(active, settings.routes, settings.delays, rules)
    app.register_blueprint(decisions_blueprint(decider, recorder))
    app.register_blueprint(outcomes_blueprint(recorder))
    app.register_blueprint(health_blueprint(active, recorder))
    return app


def recall(spool: Spool) -> None:
    """Answer again what an earlier process has answered and could only put into the spool."""
    try:
        spool.recall()
    except OSError as error:
        _log.error("the spool cannot be read: %s", error)


def prepare_store(store: Store, spool: Spool) -> None:
    """Bring the tables up to date and move into them what the spool holds.

    Raises
    ------
    UserError, sqlalchemy.exc.SQLAlchemyError, OSError
        If the database or the spool cannot be used.
    """
    migrate(store.engine)
    spool.load_into(store)
