// The parameters of one tab replace its earlier ones; all others stay in the URL.
const update = (parameters) => {
  const url = new URL(location);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  history.replaceState(null, '', url);
};
watch('pose', () => update(props.pose));
watch('swap', () => update(props.swap));
// Gradio opens its first tab before the tab in the URL is restored.
let restored = false;
document.addEventListener('tab', (event) => { if (restored) update({ tab: event.detail }); });
document.addEventListener('restored', () => { restored = true; });
