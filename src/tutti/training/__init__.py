"""Training: data, objectives, phases and the one loop that runs them."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.training.loop import RunResult as RunResult
    from tutti.training.loop import train as train
    from tutti.training.phases import BatchSource as BatchSource
    from tutti.training.phases import Phase as Phase
    from tutti.training.phases import Schedule as Schedule
    from tutti.training.phases import TrainingTask as TrainingTask

__getattr__, __dir__ = doors(
    __name__,
    {
        **{name: f"tutti.training.phases:{name}" for name in ("Phase", "Schedule", "BatchSource", "TrainingTask")},
        **{name: f"tutti.training.loop:{name}" for name in ("RunResult", "train")},
    },
)
