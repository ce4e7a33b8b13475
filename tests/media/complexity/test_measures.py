"""Each measure against what is known of a picture, or against the plain sum that it computes fast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.media.complexity import motion, spatial, transform
from vmafcast.media.complexity.facts import STEPS


def texture(rows, columns, seed=0):
    wide = np.random.default_rng(seed).normal(size=(rows, columns))
    for axis in (0, 1):
        wide = wide + np.roll(wide, 1, axis) + np.roll(wide, 2, axis) + np.roll(wide, 3, axis)
    return (128 + 40 * wide / wide.std()).astype(np.float32)


def test_spatial_information_is_that_of_the_sobel_filter():
    from scipy.ndimage import sobel

    luma = texture(40, 56)
    by_scipy = np.hypot(sobel(luma.astype(float), 0), sobel(luma.astype(float), 1))[1:-1, 1:-1].std()
    assert spatial.spatial_information(luma) == pytest.approx(by_scipy, rel=1e-5)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 6.0])
def test_noise_on_a_smooth_picture_is_found(sigma):
    rng = np.random.default_rng(1)
    ramp = np.linspace(60, 180, 320, dtype=np.float32)[None, :] + np.zeros((240, 1), np.float32)
    noisy = (ramp + rng.normal(scale=sigma, size=ramp.shape)).astype(np.float32)
    # The quietest tenth lies below the mean of all blocks, by about a fifth for blocks of 64 samples.
    assert 0.7 * sigma < spatial.noise_deviation(noisy) < sigma


def test_structure_is_not_noise():
    assert spatial.noise_deviation(np.linspace(30, 200, 64, dtype=np.float32)[None, :].repeat(64, 0)) < 1e-3


def test_clipped_blocks_say_nothing_of_noise():
    assert spatial.noise_deviation(np.full((64, 64), 16, np.float32)) == 0.0


def test_chroma_measures():
    flat, striped = np.full((16, 16), 128, np.float32), np.tile(np.float32([100, 140]), (16, 8))
    assert spatial.chroma_deviation((flat, flat)) == 0.0
    assert spatial.chroma_deviation((striped, striped)) == pytest.approx(20)
    assert spatial.chroma_activity((striped, striped)) == pytest.approx(20)  # 40 across, 0 down


def test_halving_and_block_means_are_plain_means():
    picture = texture(32, 48)
    assert np.allclose(spatial.halved(picture), picture.reshape(16, 2, 24, 2).mean(axis=(1, 3)), atol=1e-4)
    assert np.allclose(spatial.block_means(picture, 8), picture.reshape(4, 8, 6, 8).mean(axis=(1, 3)), atol=1e-3)


@pytest.mark.parametrize("size", [8, 32])
def test_the_transform_is_scipys(size):
    from scipy.fft import dctn

    picture = texture(64, 96)
    found = transform.block_dct(picture, size)
    for row, column in [(0, 0), (1, 2)]:
        block = picture[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert np.allclose(found[row, column], dctn(block.astype(float), norm="ortho"), atol=1e-2)


def test_the_survey_takes_the_same_transform_in_one_product():
    picture = texture(48, 64)
    one = transform.survey_dct(picture)
    assert np.allclose(one.reshape(6, 8, 8, 8), transform.block_dct(picture, 8), atol=1e-3)


def test_texture_energy_is_the_published_sum():
    picture = texture(32, 64)
    blocks = transform.block_dct(picture, 32)
    i, j = np.mgrid[0:32, 0:32]
    weights = np.exp(np.abs((i * j / 1024) ** 2 - 1))
    weights[0, 0] = 0
    for column in (0, 1):
        expected = (weights * np.abs(blocks[0, column])).sum() / 1024
        assert transform.texture_energy(picture)[0, column] == pytest.approx(expected, rel=1e-4)


def test_estimated_bits_are_the_plain_mean_of_logarithms():
    blocks = transform.survey_dct(texture(64, 64))
    for step, bits in zip(STEPS, transform.estimated_bits(blocks), strict=True):
        assert bits == pytest.approx(np.log2(1 + (blocks.astype(float) / step) ** 2).mean() / 2, rel=1e-5)


def test_the_brightest_picture_leaves_the_logarithms_finite():
    checkers = 255 * (np.indices((64, 64)).sum(axis=0) % 2).astype(np.float32)
    for blocks in (transform.survey_dct(checkers), transform.survey_dct(np.full((64, 64), 255, np.float32))):
        assert np.isfinite(transform.estimated_bits(blocks)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 60))
def test_a_coarser_step_costs_and_keeps_less(seed, amplitude):
    picture = (128 + amplitude * np.random.default_rng(seed).normal(size=(32, 32))).astype(np.float32)
    blocks = transform.survey_dct(picture)
    bits = transform.estimated_bits(blocks)
    kept = transform.kept_information(transform.band_energies(blocks))
    assert list(bits) == sorted(bits, reverse=True)
    assert list(kept) == sorted(kept, reverse=True)
    assert all(0 <= share <= 1 for share in kept)


def test_band_energies_add_up_to_the_variance_within_blocks():
    picture = texture(64, 64)
    within = picture.reshape(8, 8, 8, 8).astype(float).var(axis=(1, 3)).ravel()
    assert np.allclose(transform.band_energies(transform.survey_dct(picture)).sum(axis=1), within, rtol=1e-3)


def test_nothing_to_lose_is_all_kept():
    assert transform.kept_information(np.zeros((4, 3), np.float32)) == (1.0,) * len(STEPS)


def test_intra_blocks_keep_all_but_the_mean():
    blocks = transform.survey_dct(texture(32, 32))
    changed = transform.intra_blocks(blocks)
    assert np.array_equal(changed[:, :, 1:], blocks[:, :, 1:])
    assert changed[1, 2, 0] == blocks[1, 2, 0] - blocks[1, 1, 0]
    assert changed[2, 0, 0] == blocks[2, 0, 0] - blocks[1, 0, 0]
    assert changed[0, 0, 0] == 0


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -5), (-17, 9), (40, 44), (1, 0)])
def test_a_pan_is_found_and_taken_out(landscape, down, across):
    wide = landscape(300, 400, seed=3)
    before, now = wide[60:220, 60:316], wide[60 + down : 220 + down, 60 + across : 316 + across]
    found = motion.estimate(motion.pyramid(now), motion.pyramid(before))
    inner = found.vectors[3:-3, 3:-3].reshape(-1, 2)
    assert np.mean((inner == (down, across)).all(axis=1)) > 0.9
    assert np.median(np.abs(found.residual[3:-3, 3:-3])) < 1


def test_a_still_picture_does_not_move():
    picture = texture(96, 128)
    found = motion.estimate(motion.pyramid(picture), motion.pyramid(picture))
    assert not found.vectors.any()
    assert not found.residual.any()
    assert found.difference == 0.0
    assert found.static_share == 1.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 70), st.integers(2, 70))
def test_motion_compensation_never_makes_a_block_worse(seed, rows, columns):
    rng = np.random.default_rng(seed)
    before, now = (rng.uniform(0, 255, (rows, columns)).astype(np.float32) for _ in range(2))
    levels = motion.pyramid(now), motion.pyramid(before)
    found = motion.estimate(*levels)
    plain = transform.in_blocks(levels[0][-1] - levels[1][-1], motion.BLOCK)
    assert (np.abs(found.residual).mean(axis=(2, 3)) <= np.abs(plain).mean(axis=(2, 3)) * (1 + 1e-4)).all()
    assert found.difference == pytest.approx(np.abs(plain).mean(), rel=1e-4)
