"""Codes with which the exchange refuses; those that nobody has captured are marked invented."""

from enum import Enum

from oto.domain.market import RuleViolation


class Code(Enum):
    """Code and message of each refusal (PROTOCOL §3)."""

    SESSION_EXPIRED = ("100002001", "登录状态已经失效，请重新登录！")
    NOT_LOGGED_IN = ("100001005", "Please log in first.")
    MFA_OPEN = ("100001003", "step flows have not finish")
    INVALID_FORMAT = ("481001", "Invalid request format")
    INVALID_PRICE_OR_AMOUNT = ("481002", "Invalid price or amount")
    AMOUNT_MISMATCH = (
        "000002",
        "price*quantity must be the same as sum(paymentDetail.amount)",
    )
    OTO_AMOUNT_MISMATCH = (
        "000002",
        "workingPrice*workingQuantity must be the same as sum(paymentDetail.amount)",
    )
    OFF_STEP = (
        "000002",
        "Order amount must be an integer multiple of the minimum amount movement.",
    )
    INSUFFICIENT_BALANCE = ("481020", "Insufficient balance")
    NOTIONAL_TOO_SMALL = ("481013", "Total must be greater than the minimum")
    QUANTITY_TOO_LARGE = ("481011", "Quantity exceeds the maximum allowed")
    # Invented: the real codes of these are unknown, so a client must cope with an unknown code.
    NOT_TRADING = ("481901", "This token cannot be traded now")
    TOO_MANY_ORDERS = ("481902", "Too many open orders")
    ORDER_CLOSED = ("481903", "The order is not open")
    TERMS_NOT_ACCEPTED = ("481904", "Please accept the terms first")
    NOT_FOUND = ("481905", "Not found")


class Refusal(Exception):  # noqa: N818 - an answer of the exchange, not an error of the program
    """The exchange refuses a request."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code, self.message = code.value


OF_VIOLATION = {
    RuleViolation.PRICE_OFF_TICK: Code.INVALID_PRICE_OR_AMOUNT,
    RuleViolation.PRICE_OUT_OF_RANGE: Code.INVALID_PRICE_OR_AMOUNT,
    RuleViolation.QUANTITY_OFF_STEP: Code.OFF_STEP,
    RuleViolation.QUANTITY_TOO_SMALL: Code.NOTIONAL_TOO_SMALL,
    RuleViolation.QUANTITY_TOO_LARGE: Code.QUANTITY_TOO_LARGE,
    RuleViolation.NOTIONAL_TOO_SMALL: Code.NOTIONAL_TOO_SMALL,
    RuleViolation.NOTIONAL_TOO_LARGE: Code.INVALID_PRICE_OR_AMOUNT,
}
