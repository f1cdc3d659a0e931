// Shared by the live renders. The wipe shows the photo over the render. A draft, rendered while a control moves, is
// requested again at full size once the controls rest. Save requests a lossless image, which is then downloaded.
const REST = 140;  // milliseconds
const wipe = (value) => {
  element.style.setProperty('--wipe', `${value}%`);
  element.querySelector('.wipe').value = value;
};
element.addEventListener('input', (event) => event.target.matches('.wipe') && wipe(event.target.value));
element.addEventListener('click', (event) => {
  if (event.target.matches('.save')) send('save', { watermark: element.querySelector('.watermark').checked });
});
let rest = 0;
watch('value', () => {
  clearTimeout(rest);
  if (props.draft) rest = setTimeout(() => trigger('finish'), REST);
});
watch('saved', () => download(props.saved, 'latentface.png'));
