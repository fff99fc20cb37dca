"""Media that lose what must not leave: faces, words that identify, metadata; and the policy before hosted providers."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.trust.privacy.guard import PrivacyGuard as PrivacyGuard
    from tutti.trust.privacy.policy import PrivacyPolicy as PrivacyPolicy
    from tutti.trust.privacy.record import Record as Record
    from tutti.trust.privacy.redaction import Redactor as Redactor
    from tutti.trust.privacy.steps import RedactionSteps as RedactionSteps

_DOORS = {
    "PrivacyGuard": "tutti.trust.privacy.guard:PrivacyGuard",
    "PrivacyPolicy": "tutti.trust.privacy.policy:PrivacyPolicy",
    "Record": "tutti.trust.privacy.record:Record",
    "Redactor": "tutti.trust.privacy.redaction:Redactor",
    "RedactionSteps": "tutti.trust.privacy.steps:RedactionSteps",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
