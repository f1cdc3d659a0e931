// A choice is asked for by 'save', shown as busy until it comes, and handed over; a click elsewhere or Escape closes.
// 'stop' cancels it. It stays busy for a moment: what is asked for before that is done would be cancelled too.
const menu = element.querySelector('details');
const going = element.querySelector('.going');
const idle = () => {
  element.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
  going.hidden = true;
};
element.addEventListener('idle', idle);
element.addEventListener('click', (event) => {
  if (event.target.matches('.going button')) { trigger('stop'); setTimeout(idle, 1500); }
  const button = event.target.closest('[data-kind]');
  if (!button || element.querySelector('[aria-busy]')) return;
  button.setAttribute('aria-busy', 'true');
  going.firstElementChild.textContent = '';
  going.hidden = false;
  trigger('save', { kind: button.dataset.kind, stamp: element.querySelector('input').checked });
});
document.addEventListener('click', (event) => { if (!element.contains(event.target)) menu.open = false; });
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
watch('going', () => { going.firstElementChild.textContent = props.going; });
watch('file', () => {
  idle();
  const link = document.createElement('a');
  link.href = props.file.url;
  link.download = props.file.name;
  link.click();
});
