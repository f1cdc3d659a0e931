"""Codes of rendered people, made up, for tests."""

import torch

from training.data.code_frames import RENDERED, Frames


def rendered_codes(data, person, take):
    """Frames whose expressions are not known."""
    return Frames(data, person, take, torch.full((len(data),), RENDERED), torch.full((len(data), 57), torch.nan))
