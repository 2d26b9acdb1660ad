"""Which free actor is given a job: the one that has most of it in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from modelsheet.jobs.protocol import LoadedModels
from modelsheet.service.executors.ray.actor_handle import ActorHandle
from modelsheet.service.executors.ray.driver import count_workers, warmest_actor
from modelsheet.service.executors.ray.job_files import JobFiles


@dataclass
class FreeActor:
    """As much of a handle as is looked at."""

    name: str
    warm: LoadedModels


def actor(name: str, base_model: str = "", *adapters: str) -> ActorHandle:
    return cast(ActorHandle, FreeActor(name, LoadedModels(base_model, adapters)))


def chosen(job_files: JobFiles, *free: ActorHandle) -> str:
    found = warmest_actor(list(free), job_files)
    assert found is not None
    return found.name


def test_the_adapter_counts_most_then_the_base_model() -> None:
    hero = JobFiles({}, {}, LoadedModels("sd15", ("hero",)))
    cold, based, dressed = actor("cold"), actor("based", "sd15"), actor("dressed", "sd15", "hero")

    assert chosen(hero, cold, based, dressed) == "dressed"
    assert chosen(hero, cold, based) == "based"


def test_an_adapter_on_another_base_model_is_worth_nothing() -> None:
    hero = JobFiles({}, {}, LoadedModels("sd15", ("hero",)))

    assert chosen(hero, actor("other", "sdxl", "hero"), actor("based", "sd15")) == "based"


def test_learning_which_takes_adapters_off_goes_where_the_fewest_are() -> None:
    learning = JobFiles({}, {}, LoadedModels("sd15"))
    dressed, based = actor("dressed", "sd15", "hero", "imp"), actor("based", "sd15", "hero")

    assert chosen(learning, dressed, based) == "based"


def test_what_nobody_has_goes_where_nothing_is_lost() -> None:
    assert (
        chosen(JobFiles({}, {}, LoadedModels("sd15")), actor("other", "sdxl"), actor("cold"))
        == "cold"
    )


def test_nobody_free_is_nobody_chosen() -> None:
    assert warmest_actor([], JobFiles({}, {}, LoadedModels("sd15"))) is None


def test_a_workers_gpus_are_of_one_machine_that_is_there() -> None:
    nodes = [{"Alive": True, "Resources": {"GPU": 3.0}}, {"Alive": True, "Resources": {"CPU": 8.0}}]
    gone = {"Alive": False, "Resources": {"GPU": 8.0}}

    assert count_workers([*nodes, *nodes, gone], 1) == 6
    assert count_workers([*nodes, *nodes, gone], 2) == 2
