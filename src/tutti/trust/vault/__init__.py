"""Keys for what lies on a disk or goes over a wire: tenants' keys, sealed files, media sealed to a server."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.trust.vault.sealed_files import SealedFiles as SealedFiles
    from tutti.trust.vault.tenant_sealer import TenantSealer as TenantSealer
    from tutti.trust.vault.vault import Vault as Vault

_DOORS = {
    "SealedFiles": "tutti.trust.vault.sealed_files:SealedFiles",
    "TenantSealer": "tutti.trust.vault.tenant_sealer:TenantSealer",
    "Vault": "tutti.trust.vault.vault:Vault",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
