"""The look of the page: fonts that come with gradio, quiet greys, one accent. The rest is in app/static/style.css."""

import gradio as gr
from gradio.themes.utils.fonts import LocalFont

WEIGHTS = (400, 700)
"""Those of which gradio ships all letters."""


def theme() -> gr.themes.Base:
    """Served from this machine alone: no font or style is fetched."""
    base = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.zinc,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
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
