"""What is measured of a frame, by name and in order: the one place where the columns of a feature set are spelled.

The room that measures them and the room that learns from them must not know each other, and must not disagree.
"""

from __future__ import annotations

CANONICAL6: tuple[str, ...] = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")
"""The inputs of VMAF v0.6.1 itself, in the order of its published model file."""

LITE: tuple[str, ...] = ("psnr_y", "psnr_cb", "psnr_cr", "ssim", "xpsnr_y", "xpsnr_u", "xpsnr_v", "motion2")
"""Measurements that cost almost nothing beside VMAF: PSNR, SSIM and XPSNR, and the motion of the source."""
