"""The tabs, one module and one class each. `app.main.build_demo` creates each inside its `gr.Tab`:

1. `__init__(self, shared)` lays the tab out, then connects its handlers to the `SharedState`:
   `shared.session.change(handler, shared.session, outputs)` runs at the start and whenever another face is shown.
   Wrap handlers with `app.server.errors.handle_errors`, and name slow ones in `app.server.queues`. See inspect.
2. To show another face everywhere, return a `Session` for `shared.session`; for a donor, for `shared.donor`.
3. Handlers return a dictionary from component to update; components that are left out stay as they are.
4. Start heavy work only on a click in the tab. Mathematics belongs in core, components in app/widgets.
"""
