const update = (parameters) => {
  const url = new URL(location);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(null, '', url);
};
watch('parameters', () => update(props.parameters));
// Gradio opens its first tab before the tab in the URL is restored.
let restored = false;
document.addEventListener('tab', (event) => { if (restored) update({ tab: event.detail }); });
document.addEventListener('restored', () => { restored = true; });
