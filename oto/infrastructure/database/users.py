"""Users, their sealed credentials and what their wallets held, in the database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import BalanceRow, CredentialRow, CycleRow, JobRow, UserRow
from oto.domain.account import AlphaHolding, AssetWallets
from oto.domain.errors import SentenceError
from oto.domain.job import UserId
from oto.infrastructure.database.cycles import FINISHED_PHASES
from oto.infrastructure.database.states import ACTIVE_STATES
from oto.infrastructure.database.wallets import save_holding, save_wallets

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # as the database demands it


class UnknownUserError(SentenceError, LookupError):
    """There is no user of that name."""


class UserNotAddedError(SentenceError, ValueError):
    """A user of that name cannot be added; the message says why."""


class UserInUseError(SentenceError, ValueError):
    """The user cannot be removed: the ledger needs them."""


@dataclass(frozen=True, slots=True)
class User:
    """One account of ours, and since when its credentials are stored.

    `terms_accepted` is about the exchange's terms for Alpha orders, None where not known.
    """

    user_id: UserId
    name: str
    created_at: datetime
    acknowledged_at: datetime | None
    logged_in_at: datetime | None
    terms_accepted: bool | None


@dataclass(frozen=True, slots=True)
class Held:
    """What a wallet held of an asset when it was read last."""

    wallet: str
    asset: str
    free: Decimal
    held: Decimal
    read_at: datetime


class Users:
    """The users of this installation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, name: str) -> User:
        """Add a user.

        Raises:
            UserNotAddedError: there is one of that name already, or it is not one to be used.
        """
        if not _NAME.fullmatch(name):
            raise UserNotAddedError(
                "A user's name has 1 to 64 letters, digits or any of . _ - and begins with a "
                "letter or a digit."
            )
        with Session(self._engine) as session, session.begin():
            added = session.execute(
                insert(UserRow).values(name=name).on_conflict_do_nothing().returning(UserRow.id)
            ).first()
        if added is None:
            raise UserNotAddedError(f"There is a user {name} already; `oto user list` shows all.")
        return self.named(name)

    def all(self) -> Sequence[User]:
        """Return every user by name."""
        return self._found()

    def named(self, name: str) -> User:
        """Return one user.

        Raises:
            UnknownUserError: there is none of that name.
        """
        found = self._found(name)
        if not found:
            raise UnknownUserError(f"There is no user {name}; `oto user list` shows all.")
        return found[0]

    def remove(self, name: str) -> None:
        """Remove a user who never traded; their credentials go with them.

        Raises:
            UnknownUserError: there is none of that name.
            UserInUseError: the ledger has jobs or other entries of the user.
        """
        user = self.named(name)
        try:
            with Session(self._engine) as session, session.begin():
                session.execute(delete(UserRow).where(UserRow.id == user.user_id))
        except IntegrityError:
            raise UserInUseError(
                f"{name} has jobs or other entries in the ledger, which keeps them; "
                f"`oto user logout {name}` removes the stored session."
            ) from None

    def acknowledge(self, user: User) -> None:
        with Session(self._engine) as session, session.begin():
            session.execute(
                update(UserRow).where(UserRow.id == user.user_id).values(acknowledged_at=func.now())
            )

    def keep_credentials(self, user: User, sealed: bytes) -> None:
        """Store sealed credentials in the place of those before."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                insert(CredentialRow)
                .values(user_id=user.user_id, sealed=sealed)
                .on_conflict_do_update(
                    index_elements=["user_id"], set_={"sealed": sealed, "sealed_at": func.now()}
                )
            )
            session.execute(
                update(UserRow).where(UserRow.id == user.user_id).values(terms_accepted=None)
            )

    def drop_credentials(self, user: User) -> None:
        with Session(self._engine) as session, session.begin():
            session.execute(delete(CredentialRow).where(CredentialRow.user_id == user.user_id))

    def sealed_at(self, user_id: UserId) -> datetime | None:
        """Return when the user's present credentials were stored, None if there are none."""
        with Session(self._engine) as session:
            return session.scalar(
                select(CredentialRow.sealed_at).where(CredentialRow.user_id == user_id)
            )

    def sealed(self, user_id: UserId) -> bytes | None:
        with Session(self._engine) as session:
            return session.scalar(
                select(CredentialRow.sealed).where(CredentialRow.user_id == user_id)
            )

    def save_wallets(self, user_id: UserId, wallets: AssetWallets, read_at: datetime) -> None:
        with Session(self._engine) as session, session.begin():
            save_wallets(session, user_id, wallets, read_at)

    def save_alpha(
        self, user_id: UserId, holdings: Sequence[AlphaHolding], read_at: datetime
    ) -> None:
        """Store what the Alpha wallet holds; tokens that are gone from it hold nothing."""
        with Session(self._engine) as session, session.begin():
            session.execute(
                delete(BalanceRow).where(
                    BalanceRow.user_id == user_id, BalanceRow.wallet == "alpha"
                )
            )
            for one in holdings:
                save_holding(session, user_id, "alpha", one.alpha_id, one.holding, read_at)

    def held(self, user: User) -> Sequence[Held]:
        with Session(self._engine) as session:
            rows = session.scalars(
                select(BalanceRow)
                .where(BalanceRow.user_id == user.user_id)
                .order_by(BalanceRow.wallet, BalanceRow.asset)
            )
            return [Held(row.wallet, row.asset, row.free, row.held, row.read_at) for row in rows]

    def trading(self) -> Sequence[UserId]:
        """Return the users whose private streams are of use: with active jobs or open cycles."""
        with_cycle = select(CycleRow.user_id).where(CycleRow.phase.not_in(FINISHED_PHASES))
        with_job = select(JobRow.user_id).where(JobRow.state.in_(ACTIVE_STATES))
        with Session(self._engine) as session:
            return [UserId(one) for one in session.scalars(with_job.union(with_cycle))]

    def _found(self, name: str | None = None) -> list[User]:
        rows = select(
            UserRow.id,
            UserRow.name,
            UserRow.created_at,
            UserRow.acknowledged_at,
            CredentialRow.sealed_at,
            UserRow.terms_accepted,
        ).outerjoin(CredentialRow, CredentialRow.user_id == UserRow.id)
        if name is not None:
            rows = rows.where(UserRow.name == name)
        with Session(self._engine) as session:
            found = session.execute(rows.order_by(UserRow.name)).all()
        return [User(UserId(row[0]), *row[1:]) for row in found]
