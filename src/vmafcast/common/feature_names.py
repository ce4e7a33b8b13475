"""What is measured of a frame, by name and in order: the one place where the columns of a feature set are spelled.

The room that measures them and the room that learns from them must not know each other, and must not disagree.
"""

from __future__ import annotations

CANONICAL6: tuple[str, ...] = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
"""The inputs of VMAF v0.6.1 itself, in the order of its published model file."""

LITE: tuple[str, ...] = ("psnr_y", "psnr_cb", "psnr_cr", "ssim", "xpsnr_y", "xpsnr_u", "xpsnr_v", "motion2")
"""Measurements that cost almost nothing beside VMAF: PSNR, SSIM and XPSNR, and the motion of the source."""

FULL: tuple[str, ...] = (
    *CANONICAL6,
    "aim", "adm3", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "motion3", "motion_sad",
    "psnr_y", "psnr_cb", "psnr_cr", "float_ssim", "float_ms_ssim", "ciede2000", "cambi",
    "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv", "speed_temporal",
)  # fmt: skip
"""All that libvmaf logs of VMAF v0.6.1, and its other extractors: with the keys of a frame (cell, frame, bytes, type)
and the teacher's score these are 30 columns."""

ACTIVITY: tuple[str, ...] = ("activity_scale0", "activity_scale1", "activity_scale2", "activity_scale3")
"""The gradient of the source at four scales: what there is to be seen in a frame, and so to be lost."""

SOURCE: tuple[str, ...] = ("probe_vmaf", "probe_psnr_y", "probe_motion2", "probe_ssim")
"""What is measured of a source once and holds for all frames of all its encodes: means over one fast encode of a sample
of it, of VMAF, of PSNR in dB, of its motion and of SSIM."""
