// The wipe shows the photo over the render; so does holding the button Before or the key B. Save requests a lossless
// image, which is then downloaded.
const REST = 140;  // milliseconds
const wipe = (value) => {
  element.style.setProperty('--wipe', `${value}%`);
  element.querySelector('.wipe').value = value;
};
element.addEventListener('input', (event) => event.target.matches('.wipe') && wipe(event.target.value));
element.addEventListener('click', (event) => {
  if (event.target.matches('.save')) send('save', { watermark: element.querySelector('.watermark').checked });
  if (event.target.matches('.undo')) trigger('undo');
  if (event.target.matches('.redo')) trigger('redo');
  if (event.target.matches('.reset')) send('reset', { part: 'all' });
});
const writes = (target) => target.matches('textarea, input:not([type=range], [type=checkbox], [type=radio])');
document.addEventListener('keydown', (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z' || writes(event.target)
      || !element.offsetParent) return;
  event.preventDefault();
  trigger(event.shiftKey ? 'redo' : 'undo');
});
const before = (on) => element.classList.toggle('shows-photo', on);
element.addEventListener('pointerdown', (event) => { if (event.target.matches('.before')) before(true); });
document.addEventListener('pointerup', () => before(false));
document.addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() === 'b' && !event.ctrlKey && !event.metaKey && !writes(event.target)
      || [' ', 'Enter'].includes(event.key) && event.target.matches('.before')) before(true);
});
document.addEventListener('keyup', () => before(false));
// An answer may come late: once the controls rest, ask for their render until the server has nothing to draw.
let rest = 0;
const settle = () => {
  clearTimeout(rest);
  rest = setTimeout(() => trigger('settle'), REST);
};
watch('unsettled', settle);
if (props.unsettled) settle();
watch('saved', () => download(props.saved, 'latentface.png'));
