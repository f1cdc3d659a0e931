// While an event waits for its answer, gradio delays the next event of that name, and would then send the data of the
// earlier one again. All events of a name therefore share one data object, which holds the latest data.
const latest = {};
const send = (name, data) => trigger(name, Object.assign(latest[name] ??= {}, data));
