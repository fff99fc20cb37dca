"""Where a medium comes from, as far as it says so itself and is signed: C2PA manifests, read and written."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.trust.provenance.findings import Provenance as Provenance
    from tutti.trust.provenance.reading import provenance_of as provenance_of
    from tutti.trust.provenance.signing import Action as Action
    from tutti.trust.provenance.signing import sign as sign

_DOORS = {
    "Action": "tutti.trust.provenance.signing:Action",
    "Provenance": "tutti.trust.provenance.findings:Provenance",
    "provenance_of": "tutti.trust.provenance.reading:provenance_of",
    "sign": "tutti.trust.provenance.signing:sign",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
