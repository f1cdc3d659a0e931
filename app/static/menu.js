// A choice is asked for by 'save', shown as busy, and handed over when it comes; a click elsewhere or Escape closes.
const menu = element.querySelector('details');
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-kind]');
  if (!button || element.querySelector('[aria-busy]')) return;
  button.setAttribute('aria-busy', 'true');
  trigger('save', { kind: button.dataset.kind, stamp: element.querySelector('input').checked });
});
document.addEventListener('click', (event) => { if (!element.contains(event.target)) menu.open = false; });
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
watch('file', () => {
  element.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
  const link = document.createElement('a');
  link.href = props.file.url;
  link.download = props.file.name;
  link.click();
});
