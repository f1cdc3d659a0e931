// Dragging the render moves the sliders of yaw and pitch, as the visitor would; so do the arrow keys and all buttons.
// The wheel zooms.
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
  if (!frame || event.button || event.target.closest('#ball')) return;
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
  const id = event.target.closest('#sections .block')?.id;
  if (id in props.estimated) move(id, props.estimated[id]);
}));
document.addEventListener('click', ({ target }) => {
  const values = target.closest('#frontalize') ? { yaw: 0, pitch: 0, roll: 0 }
    : JSON.parse(target.closest('[data-set]')?.dataset.set ?? '{}');
  Object.entries(values).forEach(([id, value]) => move(id, value));
});

let zoom = 1;
element.addEventListener('wheel', (event) => {
  const frame = event.target.closest('.frame');
  if (!frame || (zoom === 1 && event.deltaY > 0)) return;  // the page scrolls on
  event.preventDefault();
  const box = frame.getBoundingClientRect();
  zoom = Math.min(4, Math.max(1, zoom * 1.002 ** -event.deltaY));
  element.style.setProperty('--zoom', zoom);
  element.style.setProperty('--from', `${event.clientX - box.left}px ${event.clientY - box.top}px`);
}, { passive: false });

// The layer shows where a slider changes the face, once it has come and while the slider is under the pointer.
let pointed = null;
const layer = () => element.classList.toggle('pointed', Boolean(pointed) && pointed === props.influence.name);
document.addEventListener('influence', (event) => { pointed = event.detail; layer(); });
watch('influence', layer);

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
