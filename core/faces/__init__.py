"""Face detection and alignment: from a photo to aligned images. App, training and evaluation share it."""

from core.faces.align import Crop, align, crop_from_matrix, pose_from_matrix
from core.faces.detect import MAX_FACES, Face, face_from_crop, find_face, find_faces, recut

__all__ = ["MAX_FACES", "Crop", "Face", "align", "crop_from_matrix", "face_from_crop", "find_face", "find_faces",
           "pose_from_matrix", "recut"]
