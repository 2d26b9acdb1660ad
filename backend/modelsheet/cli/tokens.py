"""Command token: list, add, limit and revoke artists' tokens."""

from __future__ import annotations

import argparse

from modelsheet.api.admin import (
    LimitsRequest,
    NewToken,
    TokenList,
    TokenRequest,
    TokenView,
)
from modelsheet.api.system import Empty
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.jobs import format_time
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest

TOKEN_ACTIONS = ("list", "add", "limit", "revoke")


def token(arguments: argparse.Namespace, say: Say) -> int:
    """List, add, limit or revoke artists' tokens."""
    with connect(arguments) as client:
        if arguments.action == "list":
            _list_tokens(client, say)
        elif not arguments.name:
            raise InvalidRequest(f"Say whose: modelsheet token {arguments.action} NAME")
        elif arguments.action == "add":
            request = TokenRequest(name=arguments.name)
            created = client.call("POST", "/v1/tokens", NewToken, request)
            say(f"The token of {created.name}; it is not shown again:")
            say(created.token)
        elif arguments.action == "limit":
            limits = LimitsRequest(gpus=arguments.gpus, queued=arguments.queued)
            path = f"/v1/tokens/{TokenRequest(name=arguments.name).name}/limits"
            say(_describe_limits(client.call("PUT", path, TokenView, limits)))
        else:
            name = TokenRequest(name=arguments.name).name
            client.call("DELETE", f"/v1/tokens/{name}", Empty)
            say(f"{name} can no longer get in; their subjects and jobs stay.")
    return 0


def _describe_limits(artist: TokenView) -> str:
    at_once = f"{artist.gpus} at once" if artist.gpus else "any number at once"
    return f"{at_once}, {artist.queued or 'the usual number'} waiting"


def _list_tokens(client: BackendClient, say: Say) -> None:
    tokens = client.call("GET", "/v1/tokens", TokenList).tokens
    for one in tokens:
        say(f"{one.name:40} since {format_time(one.created)}  {_describe_limits(one)}")
    if not tokens:
        say("Only you can get in. A token for somebody else: modelsheet token add NAME")
