// Dragging the render moves the sliders of yaw and pitch, as the visitor would; so do the arrow keys and all buttons.
const slider = (id) => document.querySelector(`#${id} input[type=range]`);
const move = (id, value) => {
  const input = slider(id);
  if (+input.value === value) return;
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
};

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

const STEPS = { ArrowLeft: ['yaw', 5], ArrowRight: ['yaw', -5], ArrowUp: ['pitch', -5], ArrowDown: ['pitch', 5] };
element.addEventListener('keydown', (event) => {
  if (!event.target.matches('.frame') || !STEPS[event.key]) return;
  event.preventDefault();
  const [id, step] = STEPS[event.key];
  move(id, +slider(id).value + step);
});

// A double click on a slider, or Delete, resets it to the estimated value.
['dblclick', 'keydown'].forEach((name) => document.addEventListener(name, (event) => {
  if (name === 'keydown' && (event.key !== 'Delete' || !event.target.matches('input[type=range]'))) return;
  const id = event.target.closest('#controls .block')?.id;
  if (id in props.estimated) move(id, props.estimated[id]);
}));

const moveAll = (values) => Object.entries(values).forEach(([id, value]) => move(id, value));
const BUTTONS = {
  '[data-set]': (button) => JSON.parse(button.dataset.set),
  '#frontalize': () => ({ yaw: 0, pitch: 0, roll: 0 }),
  '#reset-pose': () => (({ yaw, pitch, roll }) => ({ yaw, pitch, roll }))(props.estimated),
  '#reset-light': () => (({ across, above, ambient, diffuse }) => ({ across, above, ambient, diffuse }))(props.estimated),
};
document.addEventListener('click', ({ target }) => {
  for (const [selector, values] of Object.entries(BUTTONS)) {
    const button = target.closest(selector);
    if (button) moveAll(values(button));
  }
});

document.addEventListener('click', (event) => {
  if (!event.target.closest('#frontalize') || matchMedia('(prefers-reduced-motion)').matches) return;
  const begin = performance.now();  // wipe from the photo to the frontal render, to show before and after
  const reveal = (now) => {
    const part = Math.min(1, (now - begin) / 1200);
    wipe(100 - 100 * part);
    if (part < 1) requestAnimationFrame(reveal);
  };
  requestAnimationFrame(reveal);
});
