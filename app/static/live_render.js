// Shared by the live renders. The wipe shows the photo over the render. Save requests a lossless image, which is then
// downloaded.
const REST = 140;  // milliseconds
const wipe = (value) => {
  element.style.setProperty('--wipe', `${value}%`);
  element.querySelector('.wipe').value = value;
};
element.addEventListener('input', (event) => event.target.matches('.wipe') && wipe(event.target.value));
element.addEventListener('click', (event) => {
  if (event.target.matches('.save')) send('save', { watermark: element.querySelector('.watermark').checked });
});
// An answer may come late: once the controls rest, ask for their render until the server has nothing to draw.
let rest = 0;
const settle = () => {
  clearTimeout(rest);
  rest = setTimeout(() => trigger('settle'), REST);
};
watch('unsettled', settle);
if (props.unsettled) settle();
watch('saved', () => download(props.saved, 'latentface.png'));
