"""Run the migrations over the connection that `oto.infrastructure.database.schema` hands in."""

from alembic import context

from models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
