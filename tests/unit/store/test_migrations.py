"""Migrations: they make what schema.py declares, and carry old stores over."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, MetaData, Table, create_engine, inspect, text

from fastpptp.errors import UnavailableError
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store, schema
from fastpptp.store.keyfile import create_key
from fastpptp.store.migrate import SCRIPTS, migrate, version
from fastpptp.store.sealing import Sealer
from fastpptp.store.store import KEY_CHECK
from tests.unit.store.conftest import Place


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://")
    yield made
    made.dispose()


def to_revision(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes["connection"] = connection
    move = command.upgrade if version(connection) is None else command.downgrade
    move(config, revision)


def as_a_migration_spells_it(
    kind: str, item: Any, _context: AutogenContext
) -> str | Literal[False]:
    return "sa.String()" if kind == "type" and isinstance(item, schema.Words) else False


def missing(connection: Connection, declared: MetaData) -> str:
    """The body of the migration that would make the database as declared; "" for none."""
    options = {"render_item": as_a_migration_spells_it}
    found = produce_migrations(MigrationContext.configure(connection, opts=options), declared)
    assert found.upgrade_ops is not None
    if found.upgrade_ops.is_empty():
        return ""
    return render_python_code(found.upgrade_ops, render_item=as_a_migration_spells_it)


def test_every_declared_attribute_has_its_column(engine: Engine) -> None:
    """In a store that the migrations made. If not, this is the migration to write."""
    with engine.begin() as connection:
        migrate(connection)
        lacking = missing(connection, schema.metadata)
    assert not lacking, f"\n\nWrite a migration after {schema.HEAD}, set HEAD to it:\n\n{lacking}"


def test_the_missing_migration_is_spelled_out(engine: Engine) -> None:
    declared = MetaData()
    for table in schema.metadata.tables.values():
        table.to_metadata(declared)
    declared.tables["users"].append_column(Column("nickname", schema.Words()))
    with engine.begin() as connection:
        migrate(connection)
        lacking = missing(connection, declared)
    assert "op.add_column('users', sa.Column('nickname', sa.String(), nullable=True))" in lacking


@pytest.mark.parametrize(
    ("table", "declared"),
    [
        (schema.base_group, attributes.at(Level.BASE)),
        (schema.groups, attributes.at(Level.GROUP)),
        (schema.users, attributes.at(Level.USER)),
        (schema.event_classes, attributes.EVENT_CLASS_ATTRIBUTES),
    ],
)
def test_columns_are_the_declarations(table: Table, declared: dict[str, Any]) -> None:
    assert declared
    for name, attribute in declared.items():
        assert table.c[name].nullable
        assert type(table.c[name].type) is schema.TYPES[type(attribute.default)]


def test_migrations_make_the_schema(engine: Engine) -> None:
    """On an empty database; twice is once; the newest script is HEAD."""
    with engine.begin() as connection:
        assert version(connection) is None
        migrate(connection)
        migrate(connection)
        assert version(connection) == schema.HEAD
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 0


def test_scripts_end_at_head() -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.HEAD]


def test_downgrade_leaves_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        to_revision(connection, "base")
        assert version(connection) is None
        assert inspect(connection).get_table_names() == ["alembic_version"]


OLD = """
INSERT INTO settings VALUES ('base_group', 'idle_timeout', '7');
INSERT INTO settings VALUES ('base_group', 'pptp_encryption', '["Required", "128-bit"]');
INSERT INTO settings VALUES ('pptp', 'max_tunnels', '9');
INSERT INTO event_classes VALUES ('PPTP', '{"log": "1-13", "enable": true}');
INSERT INTO groups VALUES (1, 'g', 'Internal', NULL, '{"strip_realm": true, "primary_dns": "10.0.0.1"}');
INSERT INTO users VALUES (1, 'ann', 1, :ann, '10.0.0.9', NULL, '{"tunneling_protocols": ["PPTP", "L2TP over IPSec"], "password_expired": false, "idle_timeout": 0}');
INSERT INTO users VALUES (2, 'bob', NULL, :bob, NULL, NULL, '{}');
"""  # noqa: E501


def old_store(place: Place) -> None:
    """A store as version 0001 left it."""
    place.file.parent.mkdir()
    sealer = Sealer(create_key(place.key))
    values = {name: sealer.seal(f"{name}-secret", f"user:{name}") for name in ("ann", "bob")}
    engine = create_engine(place.url)
    with engine.begin() as connection:
        to_revision(connection, "0001")
        sealed = {"sealed": sealer.seal(KEY_CHECK, KEY_CHECK)}
        connection.execute(text("INSERT INTO meta VALUES (1, 41, :sealed)"), sealed)
        for statement in OLD.strip().split("\n"):
            wanted = {name: value for name, value in values.items() if f":{name}" in statement}
            # A colon within JSON is no parameter.
            spelled = statement.replace('":', '"\\:')
            connection.execute(text(spelled), wanted)
    engine.dispose()


def old_tree() -> Configuration:
    draft = Draft(Configuration())
    draft.set_base({"idle_timeout": 7, "pptp_encryption": ["Required", "128-bit"]})
    draft.set_section("pptp", {"max_tunnels": 9})
    draft.set_event_class("PPTP", {"log": "1-13", "enable": True})
    draft.add_group("g", {"strip_realm": True, "primary_dns": "10.0.0.1"})
    ann = {
        "password": "ann-secret", "group": "g", "ip_address": "10.0.0.9", "idle_timeout": 0,
        "tunneling_protocols": ["PPTP", "L2TP over IPSec"], "password_expired": False,
    }  # fmt: skip
    draft.add_user("ann", ann)
    draft.add_user("bob", {"password": "bob-secret"})
    return draft.tree


def test_the_first_schema_is_carried_over(place: Place) -> None:
    old_store(place)
    with place.open() as store:
        assert store.tree() == old_tree()
        assert store.revision() == 41
    assert place.sql("SELECT count(*) FROM settings WHERE section = 'base_group'") == [(0,)]


def test_and_back(place: Place) -> None:
    old_store(place)
    place.open().close()
    engine = create_engine(place.url)
    with engine.begin() as connection:
        to_revision(connection, "0001")
    engine.dispose()
    assert place.sql("SELECT value FROM settings WHERE name = 'idle_timeout'") == [(7,)]
    with place.open() as store:
        assert store.tree() == old_tree()


def test_a_copy_is_kept_of_an_older_store(place: Place) -> None:
    old_store(place)
    place.open().close()
    place.open().close()
    (kept,) = (path for path in place.file.parent.iterdir() if "schema-0001" in path.name)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    engine = create_engine(f"sqlite:///{kept}")
    with engine.connect() as connection:
        assert version(connection) == "0001"
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 2
    engine.dispose()


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    place: Place,
) -> None:
    old_store(place)
    place.sql("UPDATE users SET attributes = 'no JSON'")
    with pytest.raises(ValueError):
        place.open()
    assert place.sql("SELECT version_num FROM alembic_version") == [("0001",)]
    assert place.sql("SELECT attributes FROM groups") != []
    place.sql("UPDATE users SET attributes = '{}'")
    place.open().close()


def test_a_newer_store_is_not_touched(place: Place, store: Store) -> None:
    store.close()
    place.sql("UPDATE alembic_version SET version_num = '9999'")
    before = {path.name: path.read_bytes() for path in place.file.parent.iterdir()}
    with pytest.raises(UnavailableError) as caught:
        place.open()
    assert caught.value.what == (
        f"the store is at schema 9999, this fastpptp knows schemas up to {schema.HEAD}"
    )
    assert {path.name: path.read_bytes() for path in place.file.parent.iterdir()} == before
