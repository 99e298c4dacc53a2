"""MF-DCCA on series whose exponents are known: cascades, fractional noise, and noise together."""

import numpy as np
import pytest

from whaletrader.quant.together.mfdcca import dcca_coefficient, mfdcca

SCALES = [2**power for power in range(4, 13)]


def cascade(share: float, steps: int = 14) -> np.ndarray:
    """The binomial measure: each half gets `share` or the rest, again and again."""
    measure = np.ones(1)
    for _ in range(steps):
        measure = np.column_stack([measure * share, measure * (1 - share)]).ravel()
    return measure


def cascade_tau(share: float, orders: np.ndarray) -> np.ndarray:
    return -np.log2(share**orders + (1 - share) ** orders)


def fractional_noise(hurst: float, count: int, seed: int) -> np.ndarray:
    """Exact fractional Gaussian noise (Davies and Harte 1987)."""
    chance = np.random.default_rng(seed)
    lags = np.arange(count + 1.0)
    power = 2 * hurst
    cov = 0.5 * (np.abs(lags - 1) ** power - 2 * lags**power + (lags + 1) ** power)
    eigenvalues = np.fft.fft(np.concatenate([cov, cov[-2:0:-1]])).real.clip(0)
    length = len(eigenvalues)
    noise = chance.normal(size=length) + 1j * chance.normal(size=length)
    return np.fft.fft(np.sqrt(eigenvalues / length) * noise).real[:count]


@pytest.mark.parametrize("share", [0.3, 0.4])
def test_a_cascade_has_the_mass_exponents_of_its_formula(share: float) -> None:
    # Kantelhardt et al. 2002: tau(q) = -log2(a^q + (1 - a)^q); the trend taken out of windows that
    # are laid on the cascade's own grid lowers h by some hundredths, the same for each order.
    orders = np.array([-4.0, -2.0, -1.0, 1.0, 2.0, 4.0])
    found = mfdcca(cascade(share), cascade(share), SCALES, orders)
    theory = (cascade_tau(share, orders) + 1) / orders
    assert found.hurst == pytest.approx(theory, abs=0.05)
    assert found.hurst[0] - found.hurst[-1] == pytest.approx(theory[0] - theory[-1], abs=0.01)


def test_two_cascades_together_have_the_mean_of_their_exponents() -> None:
    # Zhou 2008, eq. 12: h_xy(q) = (h_xx(q) + h_yy(q)) / 2 for binomial measures.
    orders = np.arange(-4.0, 4.1)
    one, other = cascade(0.3), cascade(0.4)
    alone = [mfdcca(it, it, SCALES, orders).hurst for it in (one, other)]
    both = mfdcca(one, other, SCALES, orders)
    assert both.hurst == pytest.approx(np.mean(alone, axis=0), abs=0.02)
    assert both.tau == pytest.approx(orders * both.hurst - 1)
    assert both.width > 0.3


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.8])
def test_fractional_noise_has_its_hurst_exponent_at_every_order(hurst: float) -> None:
    found = []
    for seed in range(12):
        values = fractional_noise(hurst, 2**13, seed)
        found.append(mfdcca(values, values, SCALES[:7], [1.0, 2.0, 3.0]).hurst)
    assert np.mean(found, axis=0) == pytest.approx([hurst] * 3, abs=0.025)


def test_order_zero_is_the_limit_and_high_orders_do_not_overflow() -> None:
    values = fractional_noise(0.6, 2**12, seed=2) * 1e-150
    found = mfdcca(values, values, [16, 32, 64, 128], [-40.0, -1e-7, 0.0, 1e-7, 40.0])
    assert found.hurst[2] == pytest.approx(found.hurst[1], abs=1e-6)
    assert found.hurst[2] == pytest.approx(found.hurst[3], abs=1e-6)
    assert np.isfinite(found.fluctuations).all()


def test_the_coefficient_is_one_for_twins_and_about_zero_for_strangers() -> None:
    chance = np.random.default_rng(3)
    one, other = chance.normal(size=2**15), chance.normal(size=2**15)
    assert dcca_coefficient(one, one, [16, 64]) == pytest.approx([1, 1])
    assert dcca_coefficient(one, -one, [16, 64]) == pytest.approx([-1, -1])
    assert dcca_coefficient(one, other, [16, 64]) == pytest.approx([0, 0], abs=0.1)
    mixed = 0.6 * one + 0.8 * other
    assert dcca_coefficient(one, mixed, [16, 64]) == pytest.approx([0.6, 0.6], abs=0.06)


def test_a_trend_does_not_make_strangers_alike() -> None:
    chance = np.random.default_rng(4)
    drift = np.linspace(-1, 1, 4096)
    one, other = chance.normal(size=4096) + drift, chance.normal(size=4096) + drift
    assert np.corrcoef(one, other)[0, 1] > 0.2
    assert abs(dcca_coefficient(one, other, [16], degree=2)[0]) < 0.1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mfdcca(np.ones(64), np.ones(64), [8, 16], [1, 2, 3]), "do not fluctuate"),
        (lambda: mfdcca(np.ones(64), np.ones(63), [8], [1, 2, 3]), "length"),
        (lambda: mfdcca(np.ones(64), np.ones(64), [4], [1, 2, 3]), "scales"),
        (lambda: mfdcca(np.ones(64), np.ones(64), [17], [1, 2, 3]), "scales"),
        (lambda: mfdcca(np.arange(64), np.arange(64), [8, 16], [1, 1, 2]), "ascending"),
        (lambda: mfdcca(np.arange(64), np.arange(64), [8], [1, 2, 3]), "two of them"),
        (lambda: mfdcca(np.full(64, np.nan), np.ones(64), [8], [1, 2, 3]), "finite"),
        (lambda: mfdcca(np.ones(64), np.ones(64), [8], [1, 2, 3], degree=4), "degree"),
        (lambda: dcca_coefficient(np.ones(64), np.arange(64), [8]), "does not move"),
    ],
)
def test_bad_input_is_refused(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()  # type: ignore[operator]
