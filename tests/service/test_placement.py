"""Which free actor is given a job: the one that has most of it in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from modelsheet.service.executors.luggage import Luggage
from modelsheet.service.executors.ray_driver import warmest
from modelsheet.service.executors.ray_messages import Hello
from modelsheet.service.executors.ray_seat import Seat


@dataclass
class FreeSeat:
    """As much of a seat as is looked at."""

    name: str
    hello: Hello


def seat(name: str, base_model: str = "", *adapters: str) -> Seat:
    hello = Hello(version="1", node="n", base_model=base_model, adapters=list(adapters))
    return cast(Seat, FreeSeat(name, hello))


def chosen(luggage: Luggage, *free: Seat) -> str:
    found = warmest(list(free), luggage)
    assert found is not None
    return found.name


def test_the_adapter_counts_most_then_the_base_model() -> None:
    hero = Luggage({}, {}, "sd15", ("hero",))
    cold, based, dressed = seat("cold"), seat("based", "sd15"), seat("dressed", "sd15", "hero")

    assert chosen(hero, cold, based, dressed) == "dressed"
    assert chosen(hero, cold, based) == "based"


def test_an_adapter_on_another_base_model_is_worth_nothing() -> None:
    hero = Luggage({}, {}, "sd15", ("hero",))

    assert chosen(hero, seat("other", "sdxl", "hero"), seat("based", "sd15")) == "based"


def test_what_nobody_has_goes_where_nothing_is_lost() -> None:
    assert chosen(Luggage({}, {}, "sd15"), seat("other", "sdxl"), seat("cold")) == "cold"


def test_nobody_free_is_nobody_chosen() -> None:
    assert warmest([], Luggage({}, {}, "sd15")) is None
