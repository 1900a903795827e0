"""Times of several places that only together keep an order from being placed twice."""

from datetime import timedelta

import pytest

from oto.application.halt import CLOCKS_APART_S, POST_WITHIN_S
from oto.domain import matching

pytestmark = pytest.mark.unit


def test_no_order_is_called_absent_while_its_post_can_still_arrive() -> None:
    seconds = POST_WITHIN_S + CLOCKS_APART_S + matching.CLEAN_READS

    assert timedelta(seconds=seconds) <= matching.SETTLING
