"""The parts of a `tutti_omni`: its words, its trunks, its connectors, its bank of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutti.errors import UnsupportedConfig
from tutti.models.efficientnet.config import EfficientNetConfig


@dataclass(frozen=True, kw_only=True)
class WordsConfig:
    """The table of word vectors and the trunk that reads sentences from it."""

    vocabulary: int
    """V: rows of the table, one a token of the tokenizer."""
    width: int
    """Width of a row."""
    special_tokens: int
    """The first so many tokens mark structure; the decoder learns vectors of its own for them."""
    layers: int
    """Blocks of the text trunk."""
    heads: int
    """H of those blocks."""
    inner: int
    """Width inside their MLPs."""
    max_tokens: int
    """Longest text that is embedded, in tokens."""

    def __post_init__(self) -> None:
        check_heads("words", self.width, self.heads)
        if self.special_tokens > self.vocabulary:
            raise UnsupportedConfig(
                f"words.special_tokens is {self.special_tokens} and words.vocabulary {self.vocabulary}; "
                "expected no more of the first than of the second."
            )


@dataclass(frozen=True, kw_only=True)
class FamiliarConfig:
    """How a head of pictures keeps a published network's own view of what is unlike its training."""

    centres: int
    """Centres of what it was taught on."""
    axes: int
    """Principal axes along which distances are taken."""
    likeliest: int = 20
    """Likeliest classes that make a picture's point."""
    temperature: float = 1.2
    """Divides the classifier's logits, so that its second thoughts count."""

    def __post_init__(self) -> None:
        if min(self.centres, self.axes, self.likeliest) < 1 or not self.temperature > 0:
            raise UnsupportedConfig(
                f"A head has {self.centres} centres, {self.axes} axes, {self.likeliest} likeliest classes and a "
                f"temperature of {self.temperature}; expected numbers above zero."
            )


@dataclass(frozen=True, kw_only=True)
class TrunkConfig:
    """A trunk for one medium: convolutional stages, then attention over the tokens that remain."""

    kind: Literal["picture", "sound", "frames"]
    """`picture` reads (3, S, S), `sound` (M, frames), `frames` (F, 3, S, S) through the trunk named by `of`."""
    size: int = 0
    """S in pixels for pictures, M for sound."""
    channels: tuple[int, ...] = ()
    """Channels of each stage; every stage halves both sides."""
    blocks: tuple[int, ...] = ()
    """Residual blocks of each stage."""
    width: int = 0
    """D of the tokens."""
    layers: int = 0
    """Attention blocks."""
    heads: int = 0
    """H of those blocks."""
    inner: int = 0
    """Width inside their MLPs."""
    of: str = ""
    """For `frames`: the trunk that reads each frame."""
    sound: str = ""
    """For `frames`: the trunk that reads the sound track."""
    max_frames: int = 0
    """For `frames`: most frames of one clip."""
    published: EfficientNetConfig | None = None
    """For `picture`: a published network that reads the same picture beside the trunk's own stages, larger."""
    residual: int = 0
    """Beside a published network: width inside what the head adds to the mean of its classes' points."""
    familiar: FamiliarConfig | None = None
    """Beside a published network: what the head adds is scaled by how familiar a picture is; None: it is not."""

    @property
    def pixels(self) -> int:
        """Side in pixels of the pictures that are given: S, or as many as give the published network the same grid."""
        return self.side * self.published.stride if self.published else self.size

    @property
    def features(self) -> int:
        """Width of what the trunk hands on: its own tokens, and the published network's behind them."""
        return self.width + (self.published.width if self.published else 0)

    @property
    def stride(self) -> int:
        """How many input steps a token spans along each side."""
        return int(2 ** len(self.channels))

    @property
    def side(self) -> int:
        """Rows of the grid that the stages leave: of patches in a picture, of mel bands in a sound."""
        return self.size // self.stride

    def __post_init__(self) -> None:
        if self.kind not in ("picture", "sound", "frames"):
            raise UnsupportedConfig(f"A trunk is of kind {self.kind!r}; known are picture, sound and frames.")
        if self.kind == "frames":
            return
        if not self.channels or len(self.channels) != len(self.blocks):
            raise UnsupportedConfig(
                f"A trunk has channels {list(self.channels)} and blocks {list(self.blocks)}; "
                "expected one number a stage in each."
            )
        if self.size < 1 or self.size % self.stride:
            raise UnsupportedConfig(
                f"A trunk of size {self.size} has {len(self.channels)} stages, which each halve it; "
                f"expected a multiple of {self.stride}."
            )
        check_heads("A trunk", self.width, self.heads)
        if self.published and (self.kind != "picture" or self.pixels % self.size or self.residual < 1):
            raise UnsupportedConfig(
                f"A trunk of kind {self.kind} and size {self.size} has a published network beside it, which gives the "
                f"same grid at {self.pixels} pixels, and a residual of {self.residual}; expected a picture trunk, "
                "a multiple of its size, and a residual above zero."
            )
        if self.familiar and not self.published:
            raise UnsupportedConfig(
                f"A trunk of kind {self.kind} tells what is familiar, but has no published network; expected one."
            )
        if self.width % 2:
            raise UnsupportedConfig(
                f"A trunk is {self.width} wide; expected an even number, since positions are pairs of sine and cosine."
            )


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """From a trunk's tokens to the decoder's."""

    kind: Literal["linear", "mlp", "resampler"]
    merge: int = 1
    """Neighbours that become one token: along each side of a picture, along time for sound."""
    tokens: int = 0
    """For a resampler: tokens that come out, however many go in."""

    def __post_init__(self) -> None:
        if self.kind not in ("linear", "mlp", "resampler"):
            raise UnsupportedConfig(f"A connector is of kind {self.kind!r}; known are linear, mlp and resampler.")
        if self.merge < 1:
            raise UnsupportedConfig(f"A connector merges {self.merge} neighbours; expected 1 (none) or more.")
        if (self.tokens > 0) != (self.kind == "resampler"):
            raise UnsupportedConfig(
                f"A connector of kind {self.kind!r} has tokens {self.tokens}; "
                "expected a number above zero for a resampler, and none for others."
            )


@dataclass(frozen=True, kw_only=True)
class NamesConfig:
    """Names that lie in the shared space; the decoder is given those nearest to a picture."""

    count: int
    """Names."""
    tokens: int
    """Tokens of a name, at most; shorter ones are filled."""
    shown: int
    """Names that a picture, or a clip as a whole, is given."""

    @property
    def placeholders(self) -> int:
        """N that they take in the decoder."""
        return self.tokens * self.shown


def check_heads(subject: str, width: int, heads: int) -> None:
    """Attention splits a width evenly over its heads.

    Raises:
        UnsupportedConfig: It cannot.
    """
    if heads < 1 or width < 1 or width % heads:
        raise UnsupportedConfig(f"{subject} has {heads} heads of a width of {width}; expected a divisor.")
