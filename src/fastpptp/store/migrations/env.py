"""Alembic's environment: the connection comes from store/migrate.py, there is no ini file."""

from __future__ import annotations

from alembic import context

from fastpptp.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
