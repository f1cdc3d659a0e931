// A choice is asked for by 'save', shown as busy until it comes, and handed over; a click elsewhere or Escape closes.
// 'stop' cancels it. The page is told twice of that: of a failure, while gradio would still cancel what follows too,
// and of the end, when all is done.
const menu = element.querySelector('details');
const going = element.querySelector('.going');
const swapped = () => Boolean(document.querySelector('#swap-picture')?.checkVisibility());
menu.addEventListener('toggle', () => {
  menu.querySelector('.whose').textContent = swapped() ? 'The swapped face:' : 'The face of the page:';
});
let stopping = false;
const idle = () => {
  element.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
  going.hidden = true;
  stopping = false;
};
element.addEventListener('ended', idle);
element.addEventListener('failed', () => { if (!stopping) idle(); });
element.addEventListener('click', (event) => {
  if (event.target.matches('.going button')) { stopping = true; trigger('stop'); }
  const button = event.target.closest('[data-kind]');
  if (!button || element.querySelector('[aria-busy]')) return;
  button.setAttribute('aria-busy', 'true');
  going.firstElementChild.textContent = '';
  going.hidden = false;
  trigger('save', { kind: button.dataset.kind, stamp: element.querySelector('input').checked, swapped: swapped() });
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
  handOver(props.file.url, props.file.name);
});
// A session file may be dropped anywhere.
document.addEventListener('drop', (event) => {
  const input = document.querySelector('input:has(+ #open-session)');
  if (!event.dataTransfer.files[0]?.name.endsWith('.latentface')) return;
  event.preventDefault();
  event.stopPropagation();
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}, true);
document.addEventListener('dragover', (event) => event.preventDefault());  // else the browser would open it
