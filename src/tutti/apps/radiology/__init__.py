"""Drafts of radiology reports whose every sentence has a source, a queue, and signatures of people. A demonstration."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.apps.radiology.cases import Cases as Cases
    from tutti.apps.radiology.intake import CaseFiles as CaseFiles
    from tutti.apps.radiology.report import Draft as Draft
    from tutti.apps.radiology.report import Evident as Evident
    from tutti.apps.radiology.report import ReportSource as ReportSource
    from tutti.apps.radiology.service import Radiology as Radiology

_DOORS = {
    "CaseFiles": "tutti.apps.radiology.intake:CaseFiles",
    "Cases": "tutti.apps.radiology.cases:Cases",
    "Draft": "tutti.apps.radiology.report:Draft",
    "Evident": "tutti.apps.radiology.report:Evident",
    "Radiology": "tutti.apps.radiology.service:Radiology",
    "ReportSource": "tutti.apps.radiology.report:ReportSource",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
