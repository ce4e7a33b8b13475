"""vmafcast predicts VMAF: from cheap measurements, and before anything is encoded."""
