// A click on an entry sends 'save'; the entry is busy until the file comes, which is then downloaded. 'stop' cancels.
// The page is notified twice of a cancelled or failed export: first of the failure, while gradio would still cancel
// whatever follows, then of the end. A click elsewhere or Escape closes the menu.
const menu = element.querySelector('details');
const progress = element.querySelector('.progress');
let stopping = false;
const idle = () => {
  element.querySelector('[aria-busy]')?.removeAttribute('aria-busy');
  progress.hidden = true;
  stopping = false;
};
element.addEventListener('ended', idle);
element.addEventListener('failed', () => { if (!stopping) idle(); });
element.addEventListener('click', (event) => {
  if (event.target.matches('.progress button')) { stopping = true; trigger('stop'); }
  const button = event.target.closest('[data-kind]');
  if (!button || element.querySelector('[aria-busy]')) return;
  button.setAttribute('aria-busy', 'true');
  progress.firstElementChild.textContent = '';
  progress.hidden = false;
  trigger('save', { kind: button.dataset.kind, watermark: element.querySelector('input').checked });
});
document.addEventListener('click', (event) => { if (!element.contains(event.target)) menu.open = false; });
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  menu.open = false;
  menu.querySelector('summary').focus();
});
watch('progress', () => { progress.firstElementChild.textContent = props.progress; });
watch('file', () => {
  idle();
  download(props.file.url, props.file.name);
});
// A session file may be dropped anywhere on the page.
document.addEventListener('drop', (event) => {
  const input = document.querySelector('input:has(+ #open-session)');
  if (!event.dataTransfer.files[0]?.name.endsWith('.latentface')) return;
  event.preventDefault();
  event.stopPropagation();
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}, true);
document.addEventListener('dragover', (event) => event.preventDefault());  // otherwise the browser would open it
