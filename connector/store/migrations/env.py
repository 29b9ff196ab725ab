"""Alembic's entry: migrates over the connection that the store hands in."""

from typing import Any, Literal

from alembic import context

from connector.store import console_tables, door_tables  # noqa: F401 - they add their tables to the base
from connector.store.tables import Base, UtcDateTime


def render(kind: str, obj: Any, _autogen: Any) -> str | Literal[False]:
    """Our column type as what it is in the database, so that migrations do not depend on today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(obj, UtcDateTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
