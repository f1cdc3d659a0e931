// What a part of the page says about itself replaces what it has said before; all else in the address stays.
const say = (values) => {
  const address = new URL(location);
  for (const [name, value] of Object.entries(values)) {
    if (value === null) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  history.replaceState(null, '', address);
};
watch('picture', () => say(props.picture));
watch('swap', () => say(props.swap));
// Gradio opens its first tab before the one that the address names is restored.
let restored = false;
document.addEventListener('tab', (event) => { if (restored) say({ tab: event.detail }); });
document.addEventListener('restored', () => { restored = true; });
