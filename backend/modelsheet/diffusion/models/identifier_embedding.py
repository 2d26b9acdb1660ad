"""Token embedding of an identifier in each text encoder, learnt with the adapter (pivotal tuning).
The base's own weights stay untouched: forward hooks replace the token's row of the embedding table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import InvalidIdentifier

# Prefix in adapter.safetensors of the text encoder's number and the token's id, as in
# "lora_identifier.0.48136". diffusers demands "lora" in every key and ignores foreign ones.
KEY = "lora_identifier"


class IdentifierEmbedding:
    """Replaces one token's row of the embedding table in each text encoder until `remove`.

    `rows`: one (width,) per text encoder, fp32. At `scale` 0 the token is what it was.
    """

    def __init__(
        self, base: BaseModel, token: int, rows: Sequence[torch.Tensor], scale: float = 1.0
    ) -> None:
        self.token, self.scale = token, scale
        self.rows = [torch.nn.Parameter(row.float().to(base.device)) for row in rows]
        tables: list[Any] = [encoder.get_input_embeddings() for encoder in base.text_encoders]
        self._handles = [
            table.register_forward_hook(self._replace_row(row, table.weight[token]))
            for table, row in zip(tables, self.rows, strict=True)
        ]

    @classmethod
    def from_class_noun(
        cls, base: BaseModel, identifier: str, class_noun: str
    ) -> IdentifierEmbedding:
        """Initialize with the class noun's embedding. `identifier` is one token."""
        rows = []
        for encoder, tokenizer in zip(base.text_encoders, base.tokenizers, strict=True):
            weights = encoder.get_input_embeddings().weight.detach()
            nouns = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(class_noun))
            rows.append(weights[nouns].float().mean(0))
        return cls(base, identifier_token(base, identifier), rows)

    def state(self) -> dict[str, torch.Tensor]:
        return {
            f"{KEY}.{which}.{self.token}": row.detach().clone()
            for which, row in enumerate(self.rows)
        }

    @torch.no_grad()
    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        for which, row in enumerate(self.rows):
            row.copy_(state[f"{KEY}.{which}.{self.token}"])

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _replace_row(
        self, row: torch.nn.Parameter, original: torch.Tensor
    ) -> Callable[[torch.nn.Module, tuple[torch.Tensor], torch.Tensor], torch.Tensor]:
        def hook(
            table: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor
        ) -> torch.Tensor:
            replacement = torch.lerp(original.float(), row, self.scale).to(output.dtype)
            return torch.where((inputs[0] == self.token).unsqueeze(-1), replacement, output)

        return hook


def identifier_token(base: BaseModel, identifier: str) -> int:
    """Return the identifier's token id, which is the same in both of SDXL's tokenizers.

    Raises InvalidIdentifier when it is several tokens.
    """
    tokenizer = base.tokenizers[0]
    tokens = tokenizer.tokenize(identifier)
    if len(tokens) != 1:
        raise InvalidIdentifier(
            f"{identifier!r} is {len(tokens)} tokens to this base model, and pivotal tuning learns "
            "one. Leave the identifier empty or leave pivotal tuning out."
        )
    return int(tokenizer.convert_tokens_to_ids(tokens[0]))


def read_embeddings(file: Path) -> dict[int, list[torch.Tensor]]:
    """Read the embeddings in an adapter's file by token id; empty where none was learnt."""
    found: dict[int, list[torch.Tensor]] = {}
    with safe_open(file, "pt") as content:
        for key in sorted(content.keys()):
            if key.startswith(f"{KEY}."):
                found.setdefault(int(key.rsplit(".", 1)[1]), []).append(content.get_tensor(key))
    return found


@contextmanager
def apply_embeddings(base: BaseModel, files: Sequence[Path], scale: float) -> Iterator[None]:
    """Apply the embeddings of these adapters until the block ends; then the base is as it was."""
    applied = [
        IdentifierEmbedding(base, token, rows, scale)
        for file in files
        for token, rows in read_embeddings(file).items()
    ]
    try:
        yield
    finally:
        for rows in applied:
            rows.remove()
