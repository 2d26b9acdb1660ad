"""No caller takes the connections or threads of all."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.http.caller_limits import CallerLimits
from modelsheet.service.http.problems import Refused


def test_a_caller_has_so_many_requests_under_way_and_others_theirs() -> None:
    limits = CallerLimits(most_requests=2, most_threads=1)
    with ExitStack() as under_way:
        threads = [under_way.enter_context(limits.request(OPERATOR)) for _ in range(2)]
        other = under_way.enter_context(limits.request(Caller("ann")))
        under_way.enter_context(limits.request(None))

        with pytest.raises(Refused) as refused, limits.request(OPERATOR):
            pass

        assert refused.value.status == 429
        assert threads[0] is threads[1] is not other
    with limits.request(OPERATOR):
        pass
