"""The all-tokens ticker as it is on the wire, and the domain values in it (PROTOCOL §2.2)."""

from msgspec import Struct

from oto.domain import money
from oto.domain.errors import UnexpectedShapeError
from oto.domain.tokens import TokenTicker
from oto.infrastructure.alpha.figures import read, read_ms


class TokenLine(
    Struct,
    rename={"contract": "ca", "price": "p", "change": "pc24", "volume": "vol24", "ticked_ms": "t"},
):
    contract: str
    price: str
    change: str
    volume: str
    ticked_ms: int

    def value(self) -> TokenTicker:
        address, at, chain_id = self.contract.rpartition("@")
        if not (address and at and chain_id):
            raise UnexpectedShapeError("$.data.d[...].ca: not a contract and a chain")
        return TokenTicker(
            contract_address=address,
            chain_id=chain_id,
            price=read(money.price, self.price, "d[...].p"),
            change_24h_percent=read(money.decimal_from_text, self.change, "d[...].pc24"),
            volume_24h_usd=read(money.amount, self.volume, "d[...].vol24"),
            ticked_at=read_ms(self.ticked_ms, "d[...].t"),
        )


class TokenTickersEvent(Struct, tag_field="e", tag="tickerList", rename={"lines": "d"}):
    lines: list[TokenLine]

    def values(self) -> tuple[TokenTicker, ...]:
        return tuple(line.value() for line in self.lines)
