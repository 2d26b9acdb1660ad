"""The operations that help to fill in a request: estimate, class nouns, vocabulary."""

from __future__ import annotations

from modelsheet.api.describe_images import ClassNounList, ClassNounMatch
from modelsheet.api.learn import Estimate, Preset
from modelsheet.api.types import ApiModel, ClassNoun, ModelId
from modelsheet.api.vocabulary import Vocabulary
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


class BaseModelQuery(ApiModel):
    """The query of class nouns and of the vocabulary: the `base_model` that has them."""

    base_model: ModelId = DEFAULT_BASE_MODEL


class ClassNounQuery(BaseModelQuery):
    """The query of a class noun: the `noun` in English or Russian, and the `base_model`."""

    noun: ClassNoun


class EstimateQuery(ApiModel):
    """The query of an estimate: the `base_model` and `preset` to learn a subject with."""

    base_model: ModelId = DEFAULT_BASE_MODEL
    preset: Preset = "balanced"


def estimate(service: Service, query: EstimateQuery) -> Estimate:
    return service.estimates.of(query.base_model, query.preset)


def class_nouns(service: Service, query: BaseModelQuery) -> ClassNounList:
    return service.class_nouns(query.base_model)


def match_class_noun(service: Service, query: ClassNounQuery) -> ClassNounMatch:
    return service.match_class_noun(query.base_model, query.noun)


def get_vocabulary(service: Service, query: BaseModelQuery) -> Vocabulary:
    return service.vocabulary(query.base_model)


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
        query=BaseModelQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/class-nouns/match",
        match_class_noun,
        "Tell which class noun is learnt for a noun",
        ClassNounMatch,
        query=ClassNounQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/vocabulary",
        get_vocabulary,
        "List the words of a base model's training captions",
        Vocabulary,
        query=BaseModelQuery,
        errors=(404,),
    ),
)
