"""Moderation by a policy that is data: signals with reasons, moments of films, and people who decide in the end."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.apps.moderation.calibration import Calibration as Calibration
    from tutti.apps.moderation.decisions import ModerationDecision as ModerationDecision
    from tutti.apps.moderation.moderator import Moderator as Moderator
    from tutti.apps.moderation.policy import ModerationPolicy as ModerationPolicy
    from tutti.apps.moderation.policy import read_policy as read_policy

_DOORS = {
    "Calibration": "tutti.apps.moderation.calibration:Calibration",
    "ModerationDecision": "tutti.apps.moderation.decisions:ModerationDecision",
    "ModerationPolicy": "tutti.apps.moderation.policy:ModerationPolicy",
    "Moderator": "tutti.apps.moderation.moderator:Moderator",
    "read_policy": "tutti.apps.moderation.policy:read_policy",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
