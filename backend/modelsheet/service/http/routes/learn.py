"""The operations that help to fill in a learn request: estimate, class nouns."""

from __future__ import annotations

from modelsheet.api.describe_images import ClassNounList
from modelsheet.api.learn import Estimate, Preset
from modelsheet.api.types import ApiModel, ModelId
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


class ClassNounQuery(ApiModel):
    """The query of class nouns: the `base_model` to learn a subject on."""

    base_model: ModelId = DEFAULT_BASE_MODEL


class EstimateQuery(ApiModel):
    """The query of an estimate: the `base_model` and `preset` to learn a subject with."""

    base_model: ModelId = DEFAULT_BASE_MODEL
    preset: Preset = "balanced"


def estimate(service: Service, query: EstimateQuery) -> Estimate:
    return service.estimates.of(query.base_model, query.preset)


def class_nouns(service: Service, query: ClassNounQuery) -> ClassNounList:
    return service.class_nouns(query.base_model)


LEARN: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/estimate",
        estimate,
        "Estimate the time and memory of learning",
        Estimate,
        query=EstimateQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/class-nouns",
        class_nouns,
        "List the class nouns that a base model knows",
        ClassNounList,
        query=ClassNounQuery,
        errors=(404,),
    ),
)
