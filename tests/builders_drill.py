"""What a drill found, for tests: nothing wrong unless it is said."""

from dataclasses import replace
from typing import Any

from oto.application.audit import Audit
from workers.drill.verdict import Found

_NOTHING = Found(
    jobs=(),
    cycles=(),
    audited=Audit(0, 0, 0, 0, ()),
    late_posts=(),
    halts=(),
    logs=(),
    secrets=(),
    uncalled=(),
    left_behind=(),
    ended=(),
    unknown_s=(),
    unknown_with_outages_s=(),
    pauses=(),
)


def found_by_a_drill(**changes: Any) -> Found:  # noqa: ANN401 - fields of Found
    return replace(_NOTHING, **changes)
