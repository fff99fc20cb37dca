"""Signals for moderation: words behind evasion, known pictures and sounds, picture and words together, copies."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.trust.forensics.copied_regions import CopiedRegion as CopiedRegion
    from tutti.trust.forensics.evasion import TermFinder as TermFinder
    from tutti.trust.forensics.evasion import TermMatch as TermMatch
    from tutti.trust.forensics.hash_lists import HashList as HashList
    from tutti.trust.forensics.joint_head import JointHead as JointHead
    from tutti.trust.forensics.sound_prints import SoundPrint as SoundPrint

_DOORS = {
    "CopiedRegion": "tutti.trust.forensics.copied_regions:CopiedRegion",
    "HashList": "tutti.trust.forensics.hash_lists:HashList",
    "JointHead": "tutti.trust.forensics.joint_head:JointHead",
    "SoundPrint": "tutti.trust.forensics.sound_prints:SoundPrint",
    "TermMatch": "tutti.trust.forensics.evasion:TermMatch",
    "TermFinder": "tutti.trust.forensics.evasion:TermFinder",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
