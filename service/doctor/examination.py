"""All points of a deployment, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from authopt.errors import UserError
from service.config_file import Config, read_config, settings_of, spool_beside
from service.doctor.database import check_database
from service.doctor.disk import check_limits, check_spool
from service.doctor.finding import Finding, State, fail, ok
from service.doctor.merchants import check_keys, check_learners, check_policies, check_webhooks
from service.doctor.running import check_service
from service.doctor.watching import check_watch
from service.settings import Settings
from service.store.engine import cause_of, open_engine


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it is.

    Attributes
    ----------
    config
        the service's file, where it has one.
    database
        URL, where the file does not tell it, or another one is meant.
    url
        of the service that runs; None: it is not asked.
    key
        API key for it.
    """

    config: Path | None = None
    database: str | None = None
    url: str | None = None
    key: str | None = None


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Look at every point; what cannot be looked at without another one is left out."""
    config, settings = Config(), None
    if deployment.config is not None:
        try:
            config = read_config(deployment.config)
            settings = settings_of(config, str(deployment.config))
        except UserError as error:
            yield fail("configuration", str(error), "Mend the file; nothing starts with it")
        else:
            names = ", ".join(settings.served())
            yield ok("configuration", f"{deployment.config} is sound; merchants: {names}")
            yield from check_webhooks(settings)
    database = deployment.database or config.database
    watched = None if settings is None else deployment.config
    yield from _store(database, config, settings, watched)
    yield from check_spool(Path(config.spool) if config.spool else spool_beside(database))
    yield from check_limits()
    if deployment.url is not None:
        yield from check_service(deployment.url.rstrip("/"), deployment.key)


def _store(
    database: str, config: Config, settings: Settings | None, file: Path | None
) -> Iterator[Finding]:
    try:
        engine = open_engine(database)
    except UserError as error:
        yield fail("database", str(error), "Mend its URL")
        return
    try:
        failed = False
        for finding in check_database(engine, database, config.workers):
            failed = failed or finding.state is State.FAIL
            yield finding
        if failed:
            return
        with engine.connect() as connection:
            if settings is not None:
                yield from check_policies(connection, settings)
                yield from check_keys(connection, config.host, config.open)
            yield from check_learners(connection)
            yield from check_watch(connection, settings, file)
    except SQLAlchemyError as error:
        cause = cause_of(error)
        yield fail("database", f"failed meanwhile: {cause}", "Look at its log, and try again")
    finally:
        engine.dispose()
