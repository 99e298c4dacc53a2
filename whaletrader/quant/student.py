"""Student's t distribution: the one place that asks scipy for it. Called within quant."""

from scipy.special import stdtrit  # type: ignore[import-untyped]


def t_multiplier(confidence: float, degrees: int) -> float:
    """Return how many standard errors a two-sided interval reaches to each side.

    Raises ValueError unless 0 < confidence < 1 and there is a degree of freedom.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    if degrees < 1:
        raise ValueError(f"{degrees} degrees of freedom give no interval")
    return float(stdtrit(degrees, (1 + confidence) / 2))
