"""Every error a user can meet. Each message is a sentence that says what to do."""


class LatentFaceError(Exception):
    """Base of all errors with a message meant for the user."""


class FaceNotFound(LatentFaceError):
    """No face was detected in a photo."""


class ImageTooSmall(LatentFaceError):
    """The image has too few pixels to hold a face."""


class ImageTooLarge(LatentFaceError):
    """The image exceeds the limits on bytes or pixels."""


class ImageUnreadable(LatentFaceError):
    """The file is not an image, or is damaged."""


class FilmUnreadable(LatentFaceError):
    """The file is not a film, or is damaged or cut short."""


class FilmTooLarge(LatentFaceError):
    """The film exceeds the limits on bytes, pixels or length."""


class ArgumentInvalid(LatentFaceError, ValueError):
    """A function was called with an argument of the wrong type, shape or range."""


class WeightsMissing(LatentFaceError):
    """No weights were found where they were looked for."""


class WeightsDamaged(LatentFaceError):
    """The weights file cannot be read, or does not fit the model."""


class WeightsMismatch(LatentFaceError):
    """Two files of weights do not belong together."""


class HubUnavailable(LatentFaceError):
    """The Hugging Face Hub cannot be reached, or refuses an upload."""


class MapUnreadable(LatentFaceError):
    """A file is not a latent map, or is damaged."""


class ConfigError(LatentFaceError):
    """A configuration has an unknown key or an impossible value."""


class BackendMissing(LatentFaceError):
    """An optional rendering backend was asked for where it is not installed."""


class OutputUnwritable(LatentFaceError):
    """Results cannot be written to the chosen folder."""


class OutputExists(OutputUnwritable):
    """A file of the user's would be replaced."""


class SessionUnreadable(LatentFaceError):
    """A session file is not one, or is damaged."""
