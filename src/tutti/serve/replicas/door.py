"""A server whose application is the door before replicas."""

from __future__ import annotations

from tutti.serve.access import Access
from tutti.serve.admission import Admission, ServerLimits
from tutti.serve.gate import Gate
from tutti.serve.keys import Keys
from tutti.serve.lifecycle import ListenOptions, Server, check_exposure, config_of
from tutti.serve.metrics import Metrics
from tutti.serve.replicas.front import Front
from tutti.serve.replicas.processes import Replicas


class Door:
    """What a `Server` knows of the door.

    Args:
        admission: Refuses what comes while the server is stopping.
    """

    def __init__(self, admission: Admission) -> None:
        self.admission = admission


def make_door(
    replicas: Replicas, listen: ListenOptions, keys: Keys, limits: ServerLimits, access: Access | None = None
) -> Server:
    """A server, ready to run; it starts the replicas and ends them.

    Args:
        replicas: The processes.
        listen: Where the door listens.
        keys: Who may ask; the replicas have the same.
        limits: Sizes of bodies and rates of tenants; how many answers run and wait is for each replica.
        access: Which browser pages from elsewhere may ask; none if not given.

    Raises:
        InputError: It would be open to others without a key.
    """
    check_exposure(listen, keys)
    admission = Admission(limits)
    metrics = Metrics(admission, replicas.stats)
    return Server(config_of(Gate(Front(replicas, metrics), keys, admission, metrics, access), listen), Door(admission))
