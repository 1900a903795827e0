"""Numbers in options: exact, finite, above zero."""

from decimal import Decimal, InvalidOperation

import click

_MOST = Decimal(10) ** 12


class PositiveDecimal(click.ParamType[Decimal]):
    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value} is not a number", param, ctx)
        if not number.is_finite() or not 0 < number <= _MOST:
            self.fail(f"{value} is not above zero, or too large", param, ctx)
        return number


DECIMAL = PositiveDecimal()
