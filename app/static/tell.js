// While the answer to an event is awaited, gradio puts off the next one of the name, and then sends the data of the one
// before once more. So all events of a name share one object, which holds the last data.
const told = {};
const tell = (name, data) => trigger(name, Object.assign(told[name] ??= {}, data));
