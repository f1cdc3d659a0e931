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
    names = [tab.id for tab in tabs.children]

    def open_tab(request: gr.Request) -> gr.Tabs:
        name = request.query_params.get("tab")
        return gr.Tabs(selected=name if name in names else names[0])

    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    loaded.then(open_tab, None, tabs, **quiet)
    for tab in tabs.children:
        event = f"new CustomEvent('tab', {{ detail: '{tab.id}' }})"
        tab.select(None, js=f"() => document.dispatchEvent({event})", **quiet)
