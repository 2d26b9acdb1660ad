"""Which free actor is given a job: the one that has most of it in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from modelsheet.jobs.protocol import LoadedModels
from modelsheet.service.executors.ray.actor_handle import Seat
from modelsheet.service.executors.ray.driver import room_for_workers, warmest
from modelsheet.service.executors.ray.job_files import Luggage


@dataclass
class FreeSeat:
    """As much of a seat as is looked at."""

    name: str
    warm: LoadedModels


def seat(name: str, base_model: str = "", *adapters: str) -> Seat:
    return cast(Seat, FreeSeat(name, LoadedModels(base_model, adapters)))


def chosen(luggage: Luggage, *free: Seat) -> str:
    found = warmest(list(free), luggage)
    assert found is not None
    return found.name


def test_the_adapter_counts_most_then_the_base_model() -> None:
    hero = Luggage({}, {}, LoadedModels("sd15", ("hero",)))
    cold, based, dressed = seat("cold"), seat("based", "sd15"), seat("dressed", "sd15", "hero")

    assert chosen(hero, cold, based, dressed) == "dressed"
    assert chosen(hero, cold, based) == "based"


def test_an_adapter_on_another_base_model_is_worth_nothing() -> None:
    hero = Luggage({}, {}, LoadedModels("sd15", ("hero",)))

    assert chosen(hero, seat("other", "sdxl", "hero"), seat("based", "sd15")) == "based"


def test_learning_which_takes_adapters_off_goes_where_the_fewest_are() -> None:
    learning = Luggage({}, {}, LoadedModels("sd15"))
    dressed, based = seat("dressed", "sd15", "hero", "imp"), seat("based", "sd15", "hero")

    assert chosen(learning, dressed, based) == "based"


def test_what_nobody_has_goes_where_nothing_is_lost() -> None:
    assert (
        chosen(Luggage({}, {}, LoadedModels("sd15")), seat("other", "sdxl"), seat("cold")) == "cold"
    )


def test_nobody_free_is_nobody_chosen() -> None:
    assert warmest([], Luggage({}, {}, LoadedModels("sd15"))) is None


def test_a_workers_gpus_are_of_one_machine_that_is_there() -> None:
    nodes = [{"Alive": True, "Resources": {"GPU": 3.0}}, {"Alive": True, "Resources": {"CPU": 8.0}}]
    gone = {"Alive": False, "Resources": {"GPU": 8.0}}

    assert room_for_workers([*nodes, *nodes, gone], 1) == 6
    assert room_for_workers([*nodes, *nodes, gone], 2) == 2
