"""Spelling in windows: the same letters as in one piece, whatever is cut where."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutti.engine.ctc import spell
from tutti.errors import InputError
from tutti.models.wav2vec2.config import Wav2Vec2Config

CONFIG = Wav2Vec2Config(
    hidden_size=4,
    num_attention_heads=1,
    num_conv_pos_embedding_groups=1,
    conv_dim=(2, 2),
    conv_kernel=(10, 3),
    conv_stride=(5, 2),
)


class Near(nn.Module):
    """A frame's letter depends on its own samples and on those of frames up to `reach` away."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.config = CONFIG
        self.reach = reach
        self.longest = 0

    def forward(self, input_values: Tensor) -> tuple[Tensor, ...]:
        frames = input_values.unfold(1, CONFIG.samples_of_frame, CONFIG.samples_per_frame).sum(-1)
        self.longest = max(self.longest, frames.shape[1])
        around = nn.functional.avg_pool1d(frames[:, None], 2 * self.reach + 1, 1, self.reach)[:, 0]
        return (torch.stack([around, frames, -around, -frames], dim=-1),)


def test_the_sizes_of_the_configuration_are_those_of_the_convolutions() -> None:
    assert (CONFIG.samples_per_frame, CONFIG.samples_of_frame) == (10, 20)
    assert [CONFIG.frames(samples) for samples in (5, 19, 20, 29, 30, 105)] == [0, 0, 1, 1, 2, 9]


@pytest.mark.parametrize("samples", [20, 95, 400, 405, 1_009, 2_000])
def test_windows_do_not_show(samples: int) -> None:
    values = torch.randn(samples, generator=torch.Generator().manual_seed(0))
    model = Near(reach=3)
    whole = model(values[None])[0][0].argmax(-1).tolist()
    model.longest = 0
    done: list[float] = []
    assert spell(model, values, done.append, window_frames=40, context_frames=5) == whole
    assert model.longest <= 40
    assert (done[-1] == 1 and done == sorted(done)) if len(whole) > 40 else not done


def test_too_short_a_recording_is_refused() -> None:
    with pytest.raises(InputError, match="has 19 samples; this model needs 20 or more"):
        spell(Near(1), torch.zeros(19))
