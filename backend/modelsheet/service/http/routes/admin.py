"""The operations of the operator: artists' tokens and limits, statistics, the workload."""

from __future__ import annotations

import shutil

from pydantic import TypeAdapter

from modelsheet.api.admin import (
    LimitsRequest,
    NewToken,
    StatsView,
    TokenList,
    TokenRequest,
    TokenView,
    WorkloadView,
)
from modelsheet.api.system import Empty
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.queue.stats import stats_of
from modelsheet.service.service import Service


def list_tokens(service: Service) -> TokenList:
    return TokenList(tokens=service.tokens.list())


def add_token(service: Service, body: TokenRequest) -> NewToken:
    return service.tokens.add(body.name)


def revoke_token(service: Service, artist: str) -> Empty:
    service.tokens.revoke(artist)
    service.events.end_waits(artist)
    return Empty()


def limit_artist(service: Service, artist: str, body: LimitsRequest) -> TokenView:
    return service.tokens.limit(artist, body.gpus, body.queued)


def read_stats(service: Service) -> StatsView:
    free_bytes = shutil.disk_usage(service.data_dir).free
    return stats_of(service.job_store.table.timings(), free_bytes)


def read_studio(service: Service) -> WorkloadView:
    return service.dispatcher.workload()


ADMIN: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/tokens",
        list_tokens,
        "List the artists with a token",
        TokenList,
        operator_only=True,
    ),
    Operation(
        "POST",
        "/v1/tokens",
        add_token,
        "Make a token for an artist; it is returned only this once",
        NewToken,
        status=201,
        body=TypeAdapter(TokenRequest),
        operator_only=True,
        errors=(409, 507),
    ),
    Operation(
        "DELETE",
        "/v1/tokens/<artist:artist>",
        revoke_token,
        "Revoke an artist's token",
        Empty,
        operator_only=True,
        errors=(507,),
    ),
    Operation(
        "PUT",
        "/v1/tokens/<artist:artist>/limits",
        limit_artist,
        "Limit an artist's running and queued jobs",
        TokenView,
        body=TypeAdapter(LimitsRequest),
        operator_only=True,
        errors=(507,),
    ),
    Operation(
        "GET",
        "/v1/stats",
        read_stats,
        "Return counts and durations of jobs",
        StatsView,
        operator_only=True,
    ),
    Operation(
        "GET",
        "/v1/studio",
        read_studio,
        "Return the running and queued jobs by worker and artist",
        WorkloadView,
        operator_only=True,
    ),
)
