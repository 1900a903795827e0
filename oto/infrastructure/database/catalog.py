"""The exchange's tokens and their USDT pairs, as they were listed last."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import JobRow, TokenRow
from oto.domain.errors import SentenceError
from oto.domain.market import Symbol, SymbolRules, SymbolStatus
from oto.domain.tokens import TokenInfo
from oto.infrastructure.database import mapping
from oto.infrastructure.database.states import ACTIVE_STATES

_QUOTE = "USDT"


class UnknownTokenError(SentenceError, LookupError):
    """The exchange lists no such token, or several of that name."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One token with the rules of its USDT pair."""

    token: TokenInfo
    rules: SymbolRules
    read_at: datetime


class Catalog:
    """What can be traded."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(
        self, tokens: Iterable[TokenInfo], rules: Mapping[Symbol, SymbolRules], read_at: datetime
    ) -> int:
        """Store every token that has a USDT pair and return how many.

        One that was listed before and is not any more stays, as delisted: we may still hold it.
        """
        rows = [
            mapping.token_columns(token, pair) | {"read_at": read_at}
            for token in tokens
            if (pair := rules.get(Symbol(f"{token.alpha_id}{_QUOTE}"))) is not None
        ]
        if rows:
            upsert = insert(TokenRow)
            fresh = {name: upsert.excluded[name] for name in rows[0] if name != "symbol"}
            with Session(self._engine) as session, session.begin():
                session.execute(
                    upsert.on_conflict_do_update(index_elements=["symbol"], set_=fresh), rows
                )
                session.execute(
                    update(TokenRow)
                    .where(TokenRow.symbol.not_in([row["symbol"] for row in rows]))
                    .values(status=SymbolStatus.DELISTED.value)
                )
        return len(rows)

    def named(self, name: str) -> Listed:
        """Return a token by its symbol, Alpha id or ticker.

        Raises:
            UnknownTokenError: there is none, or several share the ticker.
        """
        wanted = name.upper()
        with Session(self._engine) as session:
            rows = session.scalars(
                select(TokenRow).where(
                    or_(
                        TokenRow.symbol == wanted,
                        TokenRow.alpha_id == wanted,
                        TokenRow.ticker == name,
                        TokenRow.ticker == wanted,
                    )
                )
            ).all()
        if len(rows) > 1:
            ids = ", ".join(row.alpha_id for row in rows)
            raise UnknownTokenError(f"Several tokens are called {name}: use one of {ids}.")
        if not rows:
            raise UnknownTokenError(
                f"The exchange lists no token {name}: give its Alpha id, such as ALPHA_971."
            )
        return _listed(rows[0])

    def all(self) -> Sequence[Listed]:
        with Session(self._engine) as session:
            return [
                _listed(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.ticker))
            ]

    def wanted(self) -> Collection[Symbol]:
        """Return the symbols that jobs need prices of: active ones."""
        with Session(self._engine) as session:
            found = session.scalars(
                select(JobRow.symbol).where(JobRow.state.in_(ACTIVE_STATES)).distinct()
            )
            return frozenset(Symbol(symbol) for symbol in found)


def _listed(row: TokenRow) -> Listed:
    return Listed(mapping.token_of(row), mapping.rules_of(row), row.read_at)
