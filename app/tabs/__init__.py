"""The tabs. One module and one class each; `app.main.build_demo` makes it inside its `gr.Tab` with the shared `Page`:

1. `__init__(self, page)` lays the tab out, then connects: `page.session.change(handler, page.session, outputs)` runs at
   the start and whenever another face is shown. Handlers are wrapped by `app.server.errors.told`; see pose_light for one.
2. To show another face everywhere, return a `Session` for `page.session`; for a donor of expression, for `page.donor`.
3. Heavy work waits for a click in the tab; mathematics belongs in core, pictures and controls in app/widgets.
"""
