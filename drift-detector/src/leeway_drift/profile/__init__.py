"""The drift profile: the reference as counts, the thresholds calibrated on it, and the faults they catch."""

from leeway_drift.profile.build import SCHEMA_VERSION, ProfileError, build_profile

__all__ = ["SCHEMA_VERSION", "ProfileError", "build_profile"]
