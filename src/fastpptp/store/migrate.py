"""Bring a database's tables to the schema of this version."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect, text

from fastpptp.errors import UnavailableError
from fastpptp.store.schema import HEAD

SCRIPTS = "fastpptp.store:migrations"
VERSION_TABLE = "alembic_version"


def version(connection: Connection) -> str | None:
    """The migration that the database is at, None for one that is not a store."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if found is None else str(found)


def migrate(connection: Connection, keep: Callable[[str], object] | None = None) -> None:
    """Run the migrations that are missing, in the caller's transaction.

    `keep` is told the schema of an older store before anything is done to it. UnavailableError
    for a database that a newer fastpptp has migrated.
    """
    at = version(connection)
    if at == HEAD:
        return
    # Alembic takes a tenth of a second to import: most commands find nothing to migrate.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes["connection"] = connection
    try:
        if at is not None:
            ScriptDirectory.from_config(config).get_revision(at)
            if keep is not None:
                keep(at)
        command.upgrade(config, "head")
    except CommandError:
        raise UnavailableError(
            f"the store is at schema {at}, this fastpptp knows schemas up to {HEAD}",
            "use the fastpptp that wrote it, or a newer one",
        ) from None
