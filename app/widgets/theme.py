"""Theme of the page: fonts that come with gradio, grays, one accent. The rest is in app/static/style.css."""

from gradio.themes import Base, colors, sizes
from gradio.themes.utils.fonts import LocalFont

WEIGHTS = (400, 700)
"""The weights for which gradio ships all characters."""


def theme() -> Base:
    """The theme. All fonts and styles are served by the app itself."""
    base = Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.zinc,
        spacing_size=sizes.spacing_sm,
        radius_size=sizes.radius_sm,
        text_size=sizes.text_sm,
        font=(LocalFont("IBM Plex Sans", weights=WEIGHTS), "system-ui", "sans-serif"),
        font_mono=(LocalFont("IBM Plex Mono", weights=WEIGHTS), "ui-monospace", "monospace"),
    )
    return base.set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_700",
        color_accent="*primary_700",
        link_text_color="*secondary_700",
        slider_color="*primary_600",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
    )
