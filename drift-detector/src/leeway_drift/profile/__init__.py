"""The drift profile: the reference as counts, the thresholds calibrated on it, and the faults they catch."""

from leeway_drift.profile.build import build_profile
from leeway_drift.profile.errors import ProfileError
from leeway_drift.profile.model import SCHEMA_VERSION, Profile

__all__ = ["SCHEMA_VERSION", "Profile", "ProfileError", "build_profile"]
