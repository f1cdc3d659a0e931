// Dragging the picture moves the sliders of yaw and pitch, as a hand would; the wipe uncovers the photo,
// and Save asks the server for a lossless picture, which is handed over when it comes.
const slider = (id) => document.querySelector(`#${id} input[type=range]`);
const move = (id, value) => {
  const input = slider(id);
  if (+input.value === value) return;
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
};
const wipe = (value) => element.style.setProperty('--wipe', `${value}%`);
let start = null;
element.addEventListener('pointerdown', (event) => {
  const frame = event.target.closest('.frame');
  if (!frame || event.button) return;
  start = { x: event.clientX, y: event.clientY, width: frame.clientWidth,
            yaw: +slider('yaw').value, pitch: +slider('pitch').value };
  frame.setPointerCapture(event.pointerId);
});
element.addEventListener('pointermove', (event) => {
  if (!start) return;
  const degrees = 90 / start.width;
  move('yaw', Math.round(start.yaw - (event.clientX - start.x) * degrees));
  if (event.pointerType === 'mouse') move('pitch', Math.round(start.pitch + (event.clientY - start.y) * degrees));
});
['pointerup', 'pointercancel'].forEach((name) => element.addEventListener(name, () => { start = null; }));
element.addEventListener('input', (event) => event.target.matches('.wipe') && wipe(event.target.value));
element.addEventListener('click', (event) => event.target.matches('.save') && trigger('save'));
watch('saved', () => {
  const link = document.createElement('a');
  link.href = props.saved;
  link.download = 'latentface.png';
  link.click();
});
