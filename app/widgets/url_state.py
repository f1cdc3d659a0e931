"""The page's URL, which restores what is shown, after a reload or for another person."""

from __future__ import annotations

import gradio as gr
from gradio.events import Dependency

from app.widgets.assets import read_script
from app.widgets.event_options import QUIET


def url_state() -> gr.HTML:
    """The component, which is hidden.

    Its property `parameters` is what the URL shall hold; a parameter whose value is None is removed from it.
    """
    return gr.HTML("", parameters={}, elem_id="url-state", visible="hidden", js_on_load=read_script("url_state"))


def keep_tab(tabs: gr.Tabs, loaded: Dependency) -> None:
    """Open the tab that the URL names once the page is loaded, and keep the open tab's `id` in the URL."""
    items = [tab for tab in tabs.children if isinstance(tab, gr.Tab)]
    names = [tab.id for tab in items]
    # A click, as by a visitor: gradio sends no event for a tab that it opens itself.
    loaded.then(None, js=f"""() => {{
        const index = {names}.indexOf(new URLSearchParams(location.search).get('tab'));
        document.dispatchEvent(new Event('restored'));
        if (index > 0) document.querySelectorAll('#work [role=tab]')[index].click(); }}""", **QUIET)
    for name, tab in zip(names, items, strict=True):
        event = f"new CustomEvent('tab', {{ detail: '{name}' }})"
        tab.select(None, js=f"() => document.dispatchEvent({event})", **QUIET)
