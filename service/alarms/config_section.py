"""The ``[alarms]`` section of one merchant in a configuration file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from service.alarms.settings import AlarmsConfig, alarms_of
from service.tenants import DEFAULT_TENANT


def alarms_in(path: Path, tenant: str) -> AlarmsConfig:
    """What a configuration file says of a merchant's alarms.

    A merchant without a section ``[tenants.NAME.alarms]`` has that of the top of the file.

    Raises
    ------
    UserError
        If the file cannot be read or the section is unsound.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a TOML file ({error})") from None
    if tenant != DEFAULT_TENANT:
        own = content.get("tenants", {})
        own = own.get(tenant, {}) if isinstance(own, Mapping) else {}
        if isinstance(own, Mapping) and "alarms" in own:
            name = f"tenants.{tenant}.alarms"
            return alarms_of(_table(own["alarms"], path, name), f"{path}: [{name}]")
    return alarms_of(_table(content.get("alarms", {}), path, "alarms"), f"{path}: [alarms]")


def _table(section: Any, path: Path, name: str) -> Mapping[str, Any]:
    if not isinstance(section, Mapping):
        raise UserError(f"{path}: {name}: expected a section, such as [{name}]")
    return section
