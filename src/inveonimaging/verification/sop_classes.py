"""SOP classes by what they have in common: where in them attributes are found, and which modality they are for."""

from __future__ import annotations

from pydicom import uid

CLASSIC = frozenset({uid.CTImageStorage, uid.PositronEmissionTomographyImageStorage})
ENHANCED = frozenset({uid.EnhancedCTImageStorage, uid.EnhancedPETImageStorage})
LEGACY = frozenset({uid.LegacyConvertedEnhancedCTImageStorage, uid.LegacyConvertedEnhancedPETImageStorage})
NM = frozenset({uid.NuclearMedicineImageStorage})
_OF_CT = {uid.CTImageStorage, uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage}
OF_MODALITY = {"CT": _OF_CT, "PT": (CLASSIC | ENHANCED | LEGACY) - _OF_CT, "NM": NM}
