"""The rows in code and the tables that the migrations make are the same."""

import re
from collections.abc import Iterator
from enum import Enum

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError

from models import Base
from oto.domain.cycle import FINISHED, CyclePhase
from oto.domain.job import JobState, Reason, TargetKind, Wish
from oto.domain.leg import LegKind, LegState
from oto.domain.market import SymbolStatus
from oto.infrastructure.database import schema

pytestmark = pytest.mark.integration

GUARDED: dict[str, set[str]] = {
    "ck_cycles_lost": {reason.name for reason in Reason},
    "ck_jobs_reason": {reason.name for reason in Reason},
}
ENUMS: dict[str, type[Enum]] = {
    "ck_cycles_phase": CyclePhase,
    "ck_jobs_state": JobState,
    "ck_jobs_target_kind": TargetKind,
    "ck_jobs_wish": Wish,
    "ck_orders_kind": LegKind,
    "ck_orders_state": LegState,
    "ck_tokens_status": SymbolStatus,
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = create_engine(database_url)
    yield made
    made.dispose()


def test_the_models_equal_the_migrated_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})

        assert compare_metadata(context, Base.metadata) == []


def test_every_guarded_word_is_a_word_of_its_enum_and_none_is_missing(engine: Engine) -> None:
    wanted = GUARDED | {name: {str(word.value) for word in kind} for name, kind in ENUMS.items()}
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'")
        )
        found = {name: set(re.findall(r"'([^']+)'::text", definition)) for name, definition in rows}

    assert {name: found.get(name) for name in wanted} == wanted


def test_only_finished_phases_free_a_users_symbol(engine: Engine) -> None:
    with engine.connect() as connection:
        definition = connection.execute(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_cycles_unfinished'")
        ).scalar_one()

    assert set(re.findall(r"'([^']+)'::text", definition)) == {phase.value for phase in FINISHED}


def test_a_second_unfinished_cycle_of_a_user_on_a_symbol_is_refused(engine: Engine) -> None:
    cycle = (
        "INSERT INTO cycles (job_id, user_id, symbol, number, phase, phase_since, multiplier,"
        " rung, planned_at) VALUES (1, 1, 'X', {}, 'open', now(), 1, 0, now())"
    )
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('ann')"))
        connection.execute(
            text(
                "INSERT INTO jobs (user_id, symbol, target_kind, target_value, target_baseline,"
                " order_size, profile, most_slip_bps, state, wish)"
                " VALUES (1, 'X', 'volume', 100, 0, 20, 'cross', 300, 'running', 'run')"
            )
        )
        connection.execute(text(cycle.format(1)))

    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(cycle.format(2)))


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    schema.upgrade(engine)

    assert schema.current_revision(engine) == schema.newest_revision()
