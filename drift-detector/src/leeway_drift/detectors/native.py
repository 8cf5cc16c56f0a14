"""The detectors that judge by counts alone."""

from leeway_drift.detectors.comparison import Comparison
from leeway_drift.detectors.data_quality import DataQuality
from leeway_drift.detectors.interface import Detector
from leeway_drift.profile.model import Profile
from leeway_drift.statistics.scoring import SCORINGS


def native_detectors(profile: Profile) -> list[Detector]:
    """The detectors of a version, in the order in which people look at them.

    - ``data_quality``: see there.
    - ``abrupt``: features against the windows before, by Wasserstein distance and PSI.
    - ``slow``: features against training, by the Jensen-Shannon distance.
    - ``relation``: pairs of features against training, whatever each of them does: unit changes and swapped codes
      that leave every single column as it was.
    - ``prediction``: outputs, against training and against the windows before.
    - ``tabular``: features against training by the Kolmogorov-Smirnov or total variation distance, from counts; to be
      left out where a row backend judges under that name.

    Calendar and id features are judged by ``data_quality`` alone.
    """
    return [DataQuality(profile), *(Comparison(profile, scoring) for scoring in SCORINGS)]
