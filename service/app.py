"""The application: the policy, the store and the endpoints, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, request

from service.active_policy import ActivePolicy
from service.api import problems
from service.api.activation import activation_blueprint
from service.api.batch import batch_blueprint
from service.api.canary import canary_blueprint
from service.api.card_guard import refuse_in_head
from service.api.changes import changes_blueprint
from service.api.decisions import Deciding, decisions_blueprint
from service.api.experiments import experiments_blueprint
from service.api.explain import explain_blueprint
from service.api.health import health_blueprint
from service.api.keys import keys_blueprint
from service.api.models import models_blueprint
from service.api.outcomes import outcomes_blueprint
from service.api.payments import payments_blueprint
from service.api.policies import policies_blueprint
from service.api.routes import routes_blueprint
from service.api.rules import rules_blueprint
from service.api.shadows import shadows_blueprint
from service.api.short_way import take_short_way
from service.api.webhooks import webhooks_blueprint
from service.console.backing import Backing
from service.console.blueprint import console_blueprint
from service.deciding.timely import Timely
from service.deciding.warm_up import warm_up
from service.known_structs import learn_structs
from service.live.live import Live
from service.metrics.endpoint import metrics_blueprint
from service.metrics.measured import measure
from service.openapi.operations import scopes
from service.openapi.pages import description_blueprint
from service.security.protect import protect
from service.settings import Settings
from service.store.recording import open_recorder
from service.tracing import trace_if_asked

RECORDER = "authopt.recorder"
"""Key of ``app.extensions`` under which the recorder stands; close it when the app is done."""

TIMELY = "authopt.timely"
"""Key of ``app.extensions`` under which stands what decides; close it before the recorder."""

LIVE = "authopt.live"
"""Key of ``app.extensions`` under which the state of every merchant stands."""


class _App(Flask):
    """Flask without coroutines, for which it would look at every function of every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


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
    learn_structs()
    live = Live.of_settings(settings, active)
    recorder = open_recorder(settings)
    live.follow(recorder.store.engine)
    app = _App("service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions[RECORDER] = recorder
    app.extensions[LIVE] = live
    problems.register(app)
    measure(app)
    trace_if_asked(app)
    app.before_request(lambda: refuse_in_head(request.environ, request.path, request.query_string))
    may_decide = protect(app, settings, recorder.store.engine, scopes())
    deadline_s = settings.deadline_ms / 1000.0
    batch_deadline_s = settings.batch_deadline_ms / 1000.0
    timely = Timely(recorder, deadline_s, batch_deadline_s)
    app.extensions[TIMELY] = timely
    for tenant in settings.served():
        warm_up(live.serving(tenant))
    started = {name: served.policy for name, served in settings.served().items()}
    app.register_blueprint(decisions_blueprint(Deciding(live, timely, deadline_s), recorder))
    take_short_way(app, may_decide, Deciding(live, timely, deadline_s))
    app.register_blueprint(batch_blueprint(live, timely, recorder, batch_deadline_s))
    app.register_blueprint(activation_blueprint(recorder))
    app.register_blueprint(outcomes_blueprint(recorder))
    app.register_blueprint(webhooks_blueprint(settings.webhooks, recorder))
    app.register_blueprint(payments_blueprint(recorder))
    app.register_blueprint(health_blueprint(live, recorder))
    app.register_blueprint(metrics_blueprint(live, recorder))
    app.register_blueprint(changes_blueprint(recorder.store.engine))
    app.register_blueprint(policies_blueprint(live, recorder.store.engine, started))
    app.register_blueprint(models_blueprint(recorder.store.engine))
    app.register_blueprint(routes_blueprint(live, recorder.store.engine))
    app.register_blueprint(rules_blueprint(live))
    app.register_blueprint(explain_blueprint(live, recorder.store.engine))
    app.register_blueprint(experiments_blueprint(live, recorder.store.engine))
    app.register_blueprint(canary_blueprint(live, recorder.store.engine, started))
    app.register_blueprint(shadows_blueprint(recorder.store.engine))
    app.register_blueprint(keys_blueprint(recorder.store.engine))
    app.register_blueprint(description_blueprint())
    app.register_blueprint(console_blueprint(Backing(recorder.store.engine, live, settings)))
    return app
