"""The only place that starts ffmpeg or opens a video."""
