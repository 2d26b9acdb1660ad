"""Redraw a 64 × 64 character in another pose: a network that chooses pixels of its drawings.

Shapes: B characters, N drawings (padded), T wanted poses, S pixels of the drawings, K pointer
channels. Pictures are RGBA bytes with straight alpha; views are indices into `VIEWS`, 4 = unknown.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelsheet.motion.figures.pictures import MAX_DRAWINGS, SIZE, VIEWS
from modelsheet.motion.network.colours import (
    code_colours,
    colour_codes,
    normalise,
    palette_log_probability,
)
from modelsheet.motion.network.layers import (
    AttentionBlock,
    PixelLinear,
    ResidualBlock,
    RotaryPosition,
    Upsample,
)

_VIEW_KINDS = len(VIEWS) + 1  # with the unknown one


@dataclass(frozen=True)
class MotionConfig:
    """Widths of the network; those with a norm are multiples of 8."""

    fine: int = 32  # channels at 64 x 64
    medium: int = 48  # channels at 32 x 32
    coarse: int = 128  # channels at 16 x 16, and of the tokens
    bottom: int = 256  # channels at 8 x 8
    condition: int = 128
    content: int = 32  # pointer channels that do not know positions
    frequencies: int = 8  # rotary wavelengths an axis
    heads: int = 4

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def pointer(self) -> int:
        return self.content + 4 * self.frequencies


@dataclass
class Sources:
    """The drawings of B characters, encoded."""

    tokens: Tensor  # (B, N * 256, C)
    mask: Tensor  # (B, 1, 1, N * 256), true where a drawing is
    keys: Tensor  # (B, N, K + views, 64, 64)
    codes: Tensor  # (B, N, 64, 64), 0 where clear


@dataclass
class Prediction:
    """Output of the decoder for each pixel of the wanted pictures."""

    queries: Tensor  # (B, T, K + views, 64, 64)
    alpha: Tensor  # (B, T, 64, 64), logit of "belongs to the figure"
    paint: Tensor  # (B, T, 4, 64, 64), RGBA in 0..1
    sharpness: Tensor  # (B, T, 64, 64), of the painted colour's distribution over the palette
    gate: Tensor  # (B, T, 64, 64), logit of "pointed at" against "painted"


class SourceEncoder(nn.Module):
    """Encoder of a drawing with its mannequin: 256 tokens, and a pointer key for every pixel."""

    def __init__(self, c: MotionConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(8, c.fine, 3, padding=1)
        self.down1 = nn.Conv2d(c.fine, c.medium, 2, 2)
        self.down2 = nn.Conv2d(c.medium, c.coarse, 2, 2)
        self.position = nn.Parameter(torch.randn(1, c.coarse, 16, 16) * 0.02)
        self.coarse1 = ResidualBlock(c.coarse, c.coarse, c.condition)
        self.attention = AttentionBlock(c.coarse, None, c.heads)
        self.coarse2 = ResidualBlock(c.coarse, c.coarse, c.condition)
        self.up1 = Upsample(c.coarse, c.medium, c.medium)
        self.medium2 = ResidualBlock(c.medium, c.medium, c.condition)
        self.up2 = Upsample(c.medium, c.fine, c.fine)
        self.fine = ResidualBlock(c.fine, c.fine, c.condition)
        self.key = nn.Sequential(nn.GroupNorm(8, c.fine), nn.SiLU(), PixelLinear(c.fine, c.pointer))

    def forward(self, pictures: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Encode D drawings (D, 8, 64, 64), condition (D, E).

        Returns tokens (D, 256, C) and keys (D, K, 64, 64).
        """
        fine = self.stem(pictures)
        medium = self.down1(fine)
        x = self.coarse1(self.down2(medium) + self.position, condition)
        x = self.coarse2(self.attention(x), condition)
        tokens = x.flatten(2).transpose(1, 2)
        x = self.medium2(self.up1(x, medium), condition)
        x = self.fine(self.up2(x, fine), condition)
        return tokens, self.key(x)


class TargetDecoder(nn.Module):
    """Decoder from a wanted mannequin, the nearest drawing and its mannequin to pixel features."""

    def __init__(self, c: MotionConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, c.fine, 3, padding=1)
        self.down1 = nn.Conv2d(c.fine, c.medium, 2, 2)
        self.down2 = nn.Conv2d(c.medium, c.coarse, 2, 2)
        self.position = nn.Parameter(torch.randn(1, c.coarse, 16, 16) * 0.02)
        self.coarse = ResidualBlock(c.coarse, c.coarse, c.condition)
        self.down3 = nn.Conv2d(c.coarse, c.bottom, 2, 2)
        self.bottom1 = ResidualBlock(c.bottom, c.bottom, c.condition)
        self.attention2 = AttentionBlock(c.bottom, c.coarse, c.heads)
        self.bottom2 = ResidualBlock(c.bottom, c.bottom, c.condition)
        self.up1 = Upsample(c.bottom, c.coarse, c.coarse)
        self.coarse2 = ResidualBlock(c.coarse, c.coarse, c.condition)
        self.attention3 = AttentionBlock(c.coarse, c.coarse, c.heads)
        self.up2 = Upsample(c.coarse, c.medium, c.medium)
        self.medium2 = ResidualBlock(c.medium, c.medium, c.condition)
        self.up3 = Upsample(c.medium, c.fine, c.fine)
        self.fine = ResidualBlock(c.fine, c.fine, c.condition)
        self.norm = nn.GroupNorm(8, c.fine)

    def forward(self, pictures: Tensor, condition: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Decode pictures (B * T, 12, 64, 64) to features (B * T, F, 64, 64).

        Condition (B * T, E), tokens (B, M, C), mask (B, 1, 1, M).
        """
        fine = self.stem(pictures)
        medium = self.down1(fine)
        coarse = self.coarse(self.down2(medium) + self.position, condition)
        x = self.bottom1(self.down3(coarse), condition)
        x = self.bottom2(self.attention2(x, tokens, mask), condition)
        x = self.attention3(self.coarse2(self.up1(x, coarse), condition), tokens, mask)
        x = self.medium2(self.up2(x, medium), condition)
        x = self.fine(self.up3(x, fine), condition)
        return F.silu(self.norm(x))


class MotionModel(nn.Module):
    """The network: drawings and mannequins to the character in other poses."""

    def __init__(self, config: MotionConfig | None = None) -> None:
        super().__init__()
        self.config = config or MotionConfig()
        condition, fine, pointer = self.config.condition, self.config.fine, self.config.pointer
        self.view_of_drawing = nn.Embedding(_VIEW_KINDS, condition)
        self.view_of_target = nn.Embedding(_VIEW_KINDS, condition)
        self.view_of_nearest = nn.Embedding(_VIEW_KINDS, condition)
        self.number_of_drawings = nn.Embedding(MAX_DRAWINGS + 1, condition)
        self.encoder = SourceEncoder(self.config)
        self.decoder = TargetDecoder(self.config)
        self.rotary = RotaryPosition(self.config.frequencies)
        self.query = PixelLinear(fine, pointer + _VIEW_KINDS)
        self.paint = PixelLinear(fine, 7)
        # How much likelier a pixel of the nearest drawing is, as a logit.
        self.nearest_bias = nn.Parameter(torch.tensor(3.0))
        self._prefer_same_place()

    @torch.no_grad()
    def _prefer_same_place(self) -> None:
        """Let every pixel point at its own place in the drawings when training begins."""
        start, count = self.config.content, 2 * self.config.frequencies
        for layer in (self.query, self.encoder.key[-1]):
            assert isinstance(layer, PixelLinear)
            assert layer.bias is not None
            layer.weight.mul_(0.5)
            layer.bias.zero_()
            layer.bias[start : start + count] = 2.2
        assert self.paint.bias is not None
        self.paint.bias[6] = 2.0

    def _rotate(self, x: Tensor) -> Tensor:
        """Rotate (..., K, 64, 64) by position, content channels excepted."""
        content, rest = x[..., : self.config.content, :, :], x[..., self.config.content :, :, :]
        return torch.cat([content, self.rotary(rest)], dim=-3)

    def encode(
        self, drawings: Tensor, mannequins: Tensor, views: Tensor, present: Tensor
    ) -> Sources:
        """Encode RGBA bytes (B, N, 4, 64, 64) twice, views (B, N), present (B, N) booleans."""
        batch, number = present.shape
        pictures = torch.cat([normalise(drawings), normalise(mannequins)], dim=2)[present]
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        tokens, keys = self.encoder(pictures, F.silu(self.view_of_drawing(views[present])))
        keys = self._rotate(keys.float())
        one_hot = F.one_hot(views[present], _VIEW_KINDS).to(keys)[:, :, None, None]
        keys = torch.cat([keys, one_hot.expand(-1, -1, SIZE, SIZE)], dim=1)
        all_tokens = tokens.new_zeros(batch, number, *tokens.shape[1:])
        all_tokens[present] = tokens
        all_keys = keys.new_zeros(batch, number, *keys.shape[1:])
        all_keys[present] = keys
        mask = present.repeat_interleave(tokens.shape[1], dim=1)[:, None, None]
        codes = colour_codes(drawings) * present[..., None, None]
        return Sources(all_tokens.flatten(1, 2), mask, all_keys, codes)

    def decode(
        self,
        sources: Sources,
        drawings: Tensor,
        mannequins: Tensor,
        views: Tensor,
        present: Tensor,
        target_mannequins: Tensor,
        target_views: Tensor,
        nearest: Tensor,
    ) -> Prediction:
        """Decode wanted poses; drawings to `present` as in `encode`.

        `target_mannequins` (B, T, 4, 64, 64); `target_views` and `nearest`, the index of the
        drawing to start from, (B, T).
        """
        batch, number = nearest.shape
        rows = torch.arange(batch, device=nearest.device)[:, None]
        stack = [target_mannequins, drawings[rows, nearest], mannequins[rows, nearest]]
        pictures = torch.cat([normalise(x) for x in stack], dim=2).flatten(0, 1)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        nearest_views = views[rows, nearest]
        condition = self.view_of_target(target_views) + self.view_of_nearest(nearest_views)
        condition = condition + self.number_of_drawings(present.sum(1))[:, None]
        x = self.decoder(pictures, F.silu(condition.flatten(0, 1)), sources.tokens, sources.mask)
        queries = self._queries(x, nearest_views.flatten())
        paint = self.paint(x).float().unflatten(0, (batch, number))
        return Prediction(
            queries=queries.unflatten(0, (batch, number)),
            alpha=paint[:, :, 4],
            paint=paint[:, :, :4].sigmoid(),
            sharpness=8 * paint[:, :, 5].clamp(-3, 3).exp(),
            gate=paint[:, :, 6],
        )

    def _queries(self, features: Tensor, nearest_views: Tensor) -> Tensor:
        """Compute pointer queries (B * T, K + views, 64, 64); `nearest_views` (B * T,)."""
        queries, size = self.query(features).float(), self.config.pointer
        bias = self.nearest_bias * F.one_hot(nearest_views, _VIEW_KINDS)[:, :, None, None]
        pointing = self._rotate(queries[:, :size]) / math.sqrt(size)
        return torch.cat([pointing, queries[:, size:] + bias], dim=1)

    def forward(
        self,
        drawings: Tensor,
        mannequins: Tensor,
        views: Tensor,
        present: Tensor,
        target_mannequins: Tensor,
        target_views: Tensor,
        nearest: Tensor,
    ) -> tuple[Sources, Prediction]:
        """Encode, then decode; shapes as there."""
        own = (drawings, mannequins, views, present)
        sources = self.encode(*own)
        return sources, self.decode(sources, *own, target_mannequins, target_views, nearest)

    @torch.inference_mode()
    def draw(
        self,
        drawings: Tensor,
        mannequins: Tensor,
        views: Tensor,
        target_mannequins: Tensor,
        target_views: Tensor,
        batch: int = 9,
    ) -> Tensor:
        """Draw one character in T poses: RGBA bytes (T, 4, 64, 64) in the drawings' own colours.

        `drawings` and `mannequins` (N, 4, 64, 64), `views` (N,), `target_mannequins`
        (T, 4, 64, 64), `target_views` (T,); `batch` poses at once.
        """
        present = torch.ones_like(views, dtype=torch.bool)
        own = [x[None] for x in (drawings, mannequins, views, present)]
        sources = self.encode(*own)
        nearest = nearest_drawing(views, target_views)
        pictures = []
        for i in range(0, len(target_views), batch):
            part = slice(i, i + batch)
            wanted = [x[None, part] for x in (target_mannequins, target_views, nearest)]
            pictures.append(choose_colours(sources, self.decode(sources, *own, *wanted)))
        return torch.cat(pictures)


def nearest_drawing(views: Tensor, target_views: Tensor) -> Tensor:
    """Choose a drawing of (N,) for each wanted view (T,): the same, else the front, else the first.

    Returns indices (T,).
    """
    front = VIEWS.index("front")
    rank = 2 * (views == target_views[:, None]).int() + (views == front)[None].int()
    return rank.argmax(dim=1)


def choose_colours(sources: Sources, prediction: Prediction) -> Tensor:
    """Choose the likeliest of the drawings' colours for each pixel of one character's pictures.

    Returns RGBA bytes (T, 4, 64, 64).
    """
    opaque = sources.codes[0] > 0  # (N, 64, 64)
    keys = sources.keys[0].permute(0, 2, 3, 1)[opaque]  # (S, K + views)
    palette, index = sources.codes[0][opaque].unique(return_inverse=True)
    colours = code_colours(palette)
    pictures = []
    for t in range(prediction.alpha.shape[1]):
        inside = prediction.alpha[0, t] > 0
        queries = prediction.queries[0, t].movedim(0, -1)[inside]
        paint = prediction.paint[0, t].movedim(0, -1)[inside]
        pointed = (queries @ keys.T).softmax(-1)
        share = pointed.new_zeros(len(pointed), len(palette)).index_add_(1, index, pointed)
        sharpness = prediction.sharpness[0, t][inside]
        painted = palette_log_probability(paint, sharpness, colours.float() / 255).exp()
        gate = prediction.gate[0, t][inside].sigmoid()[:, None]
        picture = torch.zeros(SIZE, SIZE, 4, dtype=torch.uint8, device=keys.device)
        picture[inside] = colours[(gate * share + (1 - gate) * painted).argmax(1)]
        pictures.append(picture.permute(2, 0, 1))
    return torch.stack(pictures)
