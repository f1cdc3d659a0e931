// What live pictures share. The wipe uncovers the photo. A picture drawn while a control moves is asked for again, with
// all its pixels, once the controls rest. Save asks the server for a lossless picture, which is handed over when it comes.
const REST = 140;  // milliseconds
const wipe = (value) => {
  element.style.setProperty('--wipe', `${value}%`);
  element.querySelector('.wipe').value = value;
};
element.addEventListener('input', (event) => event.target.matches('.wipe') && wipe(event.target.value));
element.addEventListener('click', (event) => {
  if (event.target.matches('.save')) tell('save', { stamp: element.querySelector('.stamp').checked });
});
let rest = 0;
watch('value', () => {
  clearTimeout(rest);
  if (props.draft) rest = setTimeout(() => trigger('finish'), REST);
});
watch('saved', () => handOver(props.saved, 'latentface.png'));
