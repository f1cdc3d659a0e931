"""The page's address, which always brings back what is shown: when it is loaded again, or sent to somebody."""

from __future__ import annotations

import gradio as gr

from app.widgets.texts import read_script


def address() -> gr.HTML:
    """The component, which is not seen.

    Its properties `picture` and `swap` are names and values that the tabs put into the address, each for itself; a name
    whose value is None is left out of it.
    """
    return gr.HTML("", picture={}, swap={}, elem_id="address", visible="hidden", js_on_load=read_script("address"))


def keep_tab(tabs: gr.Tabs, loaded: gr.events.Dependency) -> None:
    """Open the tab that the address names, after the page has been loaded, and keep the open one's `id` in it."""
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    names = [tab.id for tab in tabs.children]
    # A click, as a visitor's: gradio tells nobody of a tab that it opens itself.
    loaded.then(None, js=f"""() => {{
        const index = {names}.indexOf(new URLSearchParams(location.search).get('tab'));
        document.dispatchEvent(new Event('restored'));
        if (index > 0) document.querySelectorAll('#work [role=tab]')[index].click(); }}""", **quiet)
    for name, tab in zip(names, tabs.children, strict=True):
        event = f"new CustomEvent('tab', {{ detail: '{name}' }})"
        tab.select(None, js=f"() => document.dispatchEvent({event})", **quiet)
