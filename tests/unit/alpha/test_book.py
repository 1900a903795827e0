from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oto.domain.errors import UnavailableError
from oto.domain.market import BookDelta, BookLevel, BookSnapshot, BookTop, Symbol, at_ms
from oto.domain.money import Price, Quantity
from oto.infrastructure.alpha.book import BookFeed, LocalBook

pytestmark = pytest.mark.unit

SYMBOL = Symbol("ALPHA_971USDT")
Sides = tuple[dict[int, int], dict[int, int]]
"""Quantities by price, of bids and of asks."""


def levels(quantities: Mapping[int, int]) -> tuple[BookLevel, ...]:
    return tuple(
        BookLevel(Price(Decimal(at)), Quantity(Decimal(of))) for at, of in quantities.items()
    )


def snapshot(update_id: int, sides: Sides) -> BookSnapshot:
    bids, asks = sides
    return BookSnapshot(SYMBOL, update_id, levels(bids), levels(asks), at_ms(update_id))


def delta(first: int, last: int, previous: int, sides: Sides, symbol: Symbol = SYMBOL) -> BookDelta:
    bids, asks = sides
    return BookDelta(symbol, first, last, previous, levels(bids), levels(asks), at_ms(last))


def sides_of(book: LocalBook) -> Sides:
    bids, asks = book.levels()
    return (
        {int(level.price): int(level.quantity) for level in bids},
        {int(level.price): int(level.quantity) for level in asks},
    )


def book_at_100() -> LocalBook:
    return LocalBook(snapshot(100, ({9: 1, 8: 2, 7: 3}, {10: 4, 11: 5})))


def test_a_book_gives_its_best_levels_first() -> None:
    book = LocalBook(snapshot(100, ({7: 3, 9: 1, 8: 2}, {11: 5, 10: 4, 12: 0})))
    bids, asks = book.levels(2)
    assert [level.price for level in bids] == [9, 8]
    assert [level.price for level in asks] == [10, 11]
    assert book.top() == BookTop(
        SYMBOL,
        BookLevel(Price(Decimal(9)), Quantity(Decimal(1))),
        BookLevel(Price(Decimal(10)), Quantity(Decimal(4))),
        100,
        at_ms(100),
    )
    assert sides_of(book) == ({7: 3, 8: 2, 9: 1}, {10: 4, 11: 5})


def test_a_delta_changes_adds_and_deletes_levels() -> None:
    book = book_at_100()
    assert book.apply(delta(98, 103, 90, ({9: 0, 8: 7, 6: 1}, {10: 0, 13: 2, 99: 0})))
    assert sides_of(book) == ({8: 7, 7: 3, 6: 1}, {11: 5, 13: 2})
    top = book.top()
    assert top is not None
    assert (top.update_id, top.changed_at) == (103, at_ms(103))


def test_a_delta_from_before_the_snapshot_is_dropped() -> None:
    book = book_at_100()
    assert not book.apply(delta(90, 99, 80, ({9: 5}, {})))
    assert sides_of(book)[0][9] == 1
    assert not book.needs_resync


@pytest.mark.parametrize(
    ("first", "last", "previous"),
    [(95, 105, 90), (100, 105, 90), (95, 100, 90), (102, 105, 100), (103, 105, 97)],
)
def test_the_first_delta_must_reach_over_the_snapshot(first: int, last: int, previous: int) -> None:
    book = book_at_100()
    assert book.apply(delta(first, last, previous, ({9: 5}, {})))
    assert sides_of(book)[0][9] == 5


def test_a_first_delta_from_after_the_snapshot_is_a_gap() -> None:
    book = book_at_100()
    assert not book.apply(delta(102, 105, 101, ({9: 5}, {})))
    assert book.needs_resync
    assert book.top() is None


def test_later_deltas_must_follow_one_another() -> None:
    book = book_at_100()
    assert book.apply(delta(99, 105, 90, ({}, {})))
    assert book.apply(delta(110, 115, 105, ({}, {})))
    assert not book.apply(delta(116, 120, 116, ({}, {})))
    assert book.needs_resync
    assert not book.apply(delta(116, 120, 115, ({}, {})))


def test_a_repeated_delta_changes_nothing() -> None:
    book = book_at_100()
    once = delta(99, 105, 90, ({9: 5}, {}))
    assert book.apply(once)
    assert not book.apply(once)
    assert not book.needs_resync


def test_a_delta_of_another_symbol_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="ALPHA_1USDT"):
        book_at_100().apply(delta(99, 105, 90, ({}, {}), Symbol("ALPHA_1USDT")))


def test_a_book_can_be_crossed_or_one_sided() -> None:
    assert LocalBook(snapshot(1, ({10: 1}, {10: 1}))).crossed
    assert not LocalBook(snapshot(1, ({9: 1}, {10: 1}))).crossed
    one_sided = LocalBook(snapshot(1, ({9: 1}, {})))
    assert one_sided.top() is None
    assert not one_sided.crossed


def feed_of(fetch: Callable[[], BookSnapshot], most_buffered: int = 10) -> BookFeed:
    return BookFeed(SYMBOL, fetch, most_buffered=most_buffered)


def best_bid(feed: BookFeed) -> int | None:
    top = feed.top()
    return None if top is None else int(top.bid.price)


def test_a_feed_replays_what_came_while_the_snapshot_was_fetched() -> None:
    def fetch() -> BookSnapshot:
        feed.take(delta(99, 105, 90, ({20: 1}, {30: 1})))
        feed.take(delta(107, 109, 105, ({21: 1}, {})))
        return snapshot(100, ({9: 1}, {40: 1}))

    feed = feed_of(fetch)
    feed.take(delta(80, 90, 70, ({19: 1}, {})))
    assert feed.needs_snapshot
    assert feed.top() is None
    assert feed.levels() == ((), ())
    assert feed.sync()
    assert best_bid(feed) == 21
    assert not feed.needs_snapshot


def test_a_feed_with_a_gap_asks_for_a_snapshot_and_keeps_the_delta_for_it() -> None:
    snapshots = [snapshot(100, ({9: 1}, {40: 1})), snapshot(112, ({12: 1}, {40: 1}))]
    feed = feed_of(lambda: snapshots.pop(0))
    assert feed.sync()
    feed.take(delta(110, 115, 107, ({15: 1}, {})))
    assert feed.needs_snapshot
    assert feed.top() is None
    assert feed.sync()
    assert best_bid(feed) == 15


def test_a_snapshot_older_than_the_buffer_has_to_be_fetched_again() -> None:
    snapshots = [snapshot(50, ({9: 1}, {40: 1})), snapshot(100, ({10: 1}, {40: 1}))]
    feed = feed_of(lambda: snapshots.pop(0))
    feed.take(delta(99, 105, 90, ({11: 1}, {})))
    assert not feed.sync()
    assert feed.needs_snapshot
    assert feed.sync()
    assert best_bid(feed) == 11


def test_a_buffer_that_ran_over_is_a_gap_and_not_a_wrong_book() -> None:
    feed = feed_of(lambda: snapshot(10, ({9: 1}, {40: 1})), most_buffered=2)
    for number in range(4):
        start = 10 * number
        feed.take(delta(start + 5, start + 10, start, ({}, {})))
    assert not feed.sync()


def test_a_feed_that_lost_its_stream_forgets_the_book_even_during_a_fetch() -> None:
    feed = feed_of(lambda: snapshot(100, ({9: 1}, {40: 1})))
    assert feed.sync()
    feed.lost()
    assert feed.top() is None

    def fetch() -> BookSnapshot:
        broken.lost()
        return snapshot(100, ({9: 1}, {40: 1}))

    broken = feed_of(fetch)
    assert not broken.sync()
    assert broken.needs_snapshot


def test_a_failed_fetch_leaves_the_feed_as_it_was() -> None:
    def fetch() -> BookSnapshot:
        raise UnavailableError("no connection")

    feed = feed_of(fetch)
    with pytest.raises(UnavailableError):
        feed.sync()
    assert feed.needs_snapshot


# A history of a book: per step the changed levels, and how far the global counter moved on for
# other symbols before and within the change.
SIDE = st.dictionaries(st.integers(1, 6), st.integers(0, 3), max_size=4)
STEPS = st.lists(
    st.tuples(SIDE, SIDE, st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=12
)


def changed(before: dict[int, int], changes: dict[int, int]) -> dict[int, int]:
    return {at: of for at, of in (before | changes).items() if of}


def history(
    steps: list[tuple[dict[int, int], dict[int, int], int, int]],
) -> tuple[list[BookDelta], dict[int, Sides]]:
    """Return the true deltas, and the true book at every id that a change ended on."""
    book: Sides = ({3: 1}, {4: 1})
    last, deltas, truth = 100, [], {100: book}
    for bids, asks, skipped, width in steps:
        first, previous = last + skipped, last
        last = first + width
        book = changed(book[0], bids), changed(book[1], asks)
        truth[last] = book
        deltas.append(delta(first, last, previous, (bids, asks)))
    return deltas, truth


def carried(deltas: list[BookDelta], truth: dict[int, Sides], at: int) -> BookSnapshot:
    """Return a snapshot with an id between two changes: the book of the earlier one."""
    reached = max(update_id for update_id in truth if update_id <= at)
    inside = any(one.first_update_id <= at < one.last_update_id for one in deltas)
    return snapshot(reached if inside else at, truth[reached])


@st.composite
def noisy(draw: st.DrawFn, deltas: list[BookDelta]) -> list[BookDelta]:
    """Drop, repeat and reorder."""
    picked = [one for one in deltas for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2, 0])))]
    for _ in range(draw(st.integers(0, 2))):
        if len(picked) > 1:
            place = draw(st.integers(0, len(picked) - 2))
            picked[place], picked[place + 1] = picked[place + 1], picked[place]
    return picked


@given(STEPS, st.data())
def test_a_book_is_true_or_says_that_it_needs_a_resync(
    steps: list[tuple[dict[int, int], dict[int, int], int, int]], data: st.DataObject
) -> None:
    deltas, truth = history(steps)
    book = LocalBook(carried(deltas, truth, data.draw(st.integers(100, max(truth)))))
    start = book.update_id
    for one in data.draw(noisy(deltas)):
        book.apply(one)
        if not book.needs_resync:
            assert sides_of(book) == truth[max(at for at in truth if at <= book.update_id)]
            assert book.update_id >= start


@given(STEPS, st.data())
def test_a_book_that_misses_nothing_ends_on_the_last_state(
    steps: list[tuple[dict[int, int], dict[int, int], int, int]], data: st.DataObject
) -> None:
    deltas, truth = history(steps)
    book = LocalBook(carried(deltas, truth, data.draw(st.integers(100, max(truth)))))
    for one in deltas:
        book.apply(one)
    assert not book.needs_resync
    assert sides_of(book) == truth[max(truth)]


@given(STEPS, st.data())
def test_a_snapshot_from_within_a_change_is_completed_by_that_change(
    steps: list[tuple[dict[int, int], dict[int, int], int, int]], data: st.DataObject
) -> None:
    deltas, truth = history(steps)
    place = data.draw(st.integers(0, len(deltas) - 1))
    (bids, asks, _, _), within = steps[place], deltas[place]
    before = truth[within.previous_update_id]
    some_bids = {at: of for at, of in bids.items() if data.draw(st.booleans())}
    half_done = changed(before[0], some_bids), changed(before[1], asks)
    at = data.draw(st.integers(within.first_update_id, within.last_update_id))
    book = LocalBook(snapshot(at, half_done))
    for one in deltas[: place + 1]:
        book.apply(one)
    assert sides_of(book) == truth[within.last_update_id]


@given(STEPS, st.data())
def test_a_feed_is_true_or_out_of_sync_and_comes_back(
    steps: list[tuple[dict[int, int], dict[int, int], int, int]], data: st.DataObject
) -> None:
    deltas, truth = history(steps)
    reached = 100

    def fetch() -> BookSnapshot:
        late = data.draw(st.integers(100, reached))
        return carried(deltas, truth, late)

    feed = feed_of(fetch, most_buffered=4)
    for one in data.draw(noisy(deltas)):
        feed.take(one)
        reached = max(reached, one.last_update_id)
        if feed.needs_snapshot and data.draw(st.booleans()):
            feed.sync()
        if (top := feed.top()) is not None:
            bids, asks = truth[max(at for at in truth if at <= top.update_id)]
            assert (int(top.bid.price), int(top.ask.price)) == (max(bids), min(asks))
    final = feed_of(lambda: carried(deltas, truth, max(truth)))
    for one in deltas:
        final.take(one)
    assert final.sync()
