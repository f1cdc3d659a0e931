"""The look of the page: fonts that come with gradio, quiet greys, one accent. The rest is in app/static/style.css."""

import gradio as gr
from gradio.themes.utils.fonts import LocalFont


def theme() -> gr.themes.Base:
    """Served from this machine alone: no font or style is fetched."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.zinc,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_sm,
        font=(LocalFont("IBM Plex Sans"), "system-ui", "sans-serif"),
        font_mono=(LocalFont("IBM Plex Mono"), "ui-monospace", "monospace"),
    )
