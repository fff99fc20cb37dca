"""What the parts of `tutti_omni` cost: parameters, and operations counted as two a multiply-add.

Operations are those of convolutions and matrix products; norms, activations and sums are left out, as is the custom.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from tutti.models.omni.parts import ConnectorConfig, TrunkConfig, WordsConfig

CLASSES = 10
"""Likeliest classes of a published network that make a picture's point."""


class _Seen(NamedTuple):
    """The connector of a published network's grid."""

    kind: Literal["mlp"] = "mlp"
    tokens: int = 0


SEEN = _Seen()
"""How a published network's grid is connected."""


def seen_places(kind: str) -> int:
    """Places of a published network's grid that the decoder is given, of a picture or of a frame of a clip."""
    return 1 if kind == "frames" else 4


RESAMPLER_LAYERS = 2
"""Layers of a resampler."""
RESAMPLER_HEADS = 8
"""H of those layers."""


def text_parameters(words: WordsConfig, shared_width: int) -> int:
    """Parameters of the text trunk. The table of words is frozen and none of them."""
    width = words.width
    blocks = words.layers * _block_parameters(width, words.inner)
    out = _linear(width, shared_width) + width * shared_width
    return _linear(width, width) + words.max_tokens * width + blocks + 2 * width + width + out


def trunk_parameters(trunk: TrunkConfig) -> int:
    """Parameters of a trunk for pictures or sounds."""
    total, previous = 0, _channels_in(trunk)
    for channels, blocks in zip(trunk.channels, trunk.blocks, strict=True):
        total += _conv_norm(previous, channels) + blocks * 2 * _conv_norm(channels, channels)
        previous = channels
    if trunk.kind == "picture":
        total += _linear(previous, trunk.width) + trunk.side**2 * trunk.width
    else:
        total += _linear(previous * trunk.side, trunk.width)
    if trunk.published:
        total += trunk.published.parameters()
    return total + trunk.layers * _block_parameters(trunk.width, trunk.inner) + 2 * trunk.width


def trunk_flops(trunk: TrunkConfig, frames: int = 0) -> int:
    """Operations for one picture, or for a log-mel of so many frames."""
    rows, columns = trunk.size, trunk.size if trunk.kind == "picture" else frames
    total, previous = 0, _channels_in(trunk)
    for channels, blocks in zip(trunk.channels, trunk.blocks, strict=True):
        rows, columns = -(-rows // 2), -(-columns // 2)
        total += 2 * 9 * rows * columns * channels * (previous + blocks * 2 * channels)
        previous = channels
    # Every place of the grid is projected: a picture's place to a token, a sound's column of places to a token.
    total += 2 * rows * columns * previous * trunk.width
    tokens = rows * columns if trunk.kind == "picture" else columns
    total += trunk.published.flops(trunk.pixels) if trunk.published else 0
    return total + trunk.layers * _block_flops(tokens, trunk.width, trunk.inner)


def head_parameters(trunk: TrunkConfig, shared_width: int) -> int:
    """Parameters from a trunk's tokens to the shared space: a query and a projection.

    Beside a published network: two norms and the two layers of what is added; its classifier is counted with it.
    """
    if trunk.published is None:
        return trunk.width + _linear(trunk.width, shared_width)
    norms = 2 * trunk.features
    return trunk.width + norms + _linear(trunk.features, trunk.residual) + _linear(trunk.residual, shared_width)


def head_flops(trunk: TrunkConfig, shared_width: int) -> int:
    """Operations from a picture's tokens to the shared space, its pooling included."""
    pooled = trunk.side**2 * trunk.width
    if trunk.published is None:
        return 2 * (pooled + trunk.width * shared_width)
    classes = trunk.published.classes
    residual = trunk.residual * (trunk.features + shared_width)
    known = trunk.familiar
    distances = known.axes * (2 * trunk.published.width + known.centres) if known else 0
    return 2 * (pooled + classes * trunk.published.width + residual + distances)


def connector_parameters(connector: ConnectorConfig | _Seen, width_in: int, width: int) -> int:
    """Parameters between tokens of one width and the decoder's."""
    if connector.kind == "linear":
        return _linear(width_in, width)
    if connector.kind == "mlp":
        return 2 * width_in + _linear(width_in, width) + _linear(width, width)
    layer = 6 * width + 4 * width * width + _linear(width, 4 * width) + _linear(4 * width, width)
    return _linear(width_in, width) + connector.tokens * width + RESAMPLER_LAYERS * layer + 2 * width


def connector_flops(connector: ConnectorConfig | _Seen, tokens: int, width_in: int, width: int) -> int:
    """Operations to connect so many tokens."""
    project = 2 * tokens * width_in * width
    if connector.kind == "linear":
        return project
    if connector.kind == "mlp":
        return project + 2 * tokens * width * width
    queries, seen = connector.tokens, tokens + connector.tokens
    # q and out of the queries, k and v of all that is seen, an MLP four times as wide; then scores and sums.
    layer = 2 * width * width * (2 * queries + 2 * seen + 8 * queries) + 4 * width * queries * seen
    return project + RESAMPLER_LAYERS * layer


def _channels_in(trunk: TrunkConfig) -> int:
    return 3 if trunk.kind == "picture" else 1


def _linear(width_in: int, width_out: int) -> int:
    """Parameters of a projection with a bias."""
    return width_in * width_out + width_out


def _conv_norm(channels_in: int, channels_out: int) -> int:
    """Parameters of a 3 x 3 convolution without bias and of its norm."""
    return 9 * channels_in * channels_out + 2 * channels_out


def _block_parameters(width: int, inner: int) -> int:
    """Parameters of a `TrunkBlock`: two norms, qkv, out, up, down."""
    attention = _linear(width, 3 * width) + _linear(width, width)
    return 4 * width + attention + _linear(width, inner) + _linear(inner, width)


def _block_flops(tokens: int, width: int, inner: int) -> int:
    """Operations of a `TrunkBlock`: its projections, and every token's attention to every token."""
    return 2 * tokens * (4 * width * width + 2 * width * inner) + 4 * tokens * tokens * width
