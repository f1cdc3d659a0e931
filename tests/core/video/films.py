"""Films for tests, made of plain frames or of the rig's renders."""

from fractions import Fraction

import av
import numpy as np


def write_film(path, frames, times=None, pix_fmt="yuv420p", rotation=None, sound=False, codec="libx264", **options):
    """Write (H, W, 3) uint8 frames at `times` in seconds, 25 a second by default, as a film."""
    times = [index / 25 for index in range(len(frames))] if times is None else times
    with av.open(str(path), "w", options=options) as film:
        stream = film.add_stream(codec, rate=25, options={"crf": "12", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None:
            stream.set_display_rotation(*rotation)
        audio = film.add_stream("aac", rate=16000, layout="mono") if sound else None
        for time, pixels in zip(times, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if audio:
            tone = np.sin(np.arange(round(16000 * (times[-1] + 0.04)))[None] / 6).astype(np.float32)
            piece = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 16000, 0, Fraction(1, 16000)
            film.mux(audio.encode(piece))
            film.mux(audio.encode(None))
    return path


def quadrants(height=96, width=128):
    """A frame whose four quarters are red, green, blue and white, row by row."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, :, :] = 255
    frame[: height // 2, : width // 2] = (255, 0, 0)
    frame[: height // 2, width // 2:] = (0, 255, 0)
    frame[height // 2:, : width // 2] = (0, 0, 255)
    return frame


def corners(pixels):
    """Names of the colors of the four quarters, row by row, of a film of `quadrants`."""
    height, width = pixels.shape[:2]
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    return [names[tuple((pixels[y, x] > 128).astype(int).tolist())]
            for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
