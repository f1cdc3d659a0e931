// Dragging on the ball moves the light there.
const REACH = 1.08;
const aim = (event) => {
  const box = element.querySelector('img').getBoundingClientRect();
  let x = ((event.clientX - box.left) / box.width * 2 - 1) * REACH;
  let y = ((event.clientY - box.top) / box.height * 2 - 1) * REACH;
  const length = Math.max(1, Math.hypot(x, y) / 0.98);
  x /= length; y /= length;
  const z = Math.sqrt(1 - x * x - y * y);
  for (const [id, value] of [['across', Math.atan2(x, z)], ['above', Math.atan2(-y, z)]]) {
    const input = document.querySelector(`#${id} input[type=range]`);
    input.value = Math.round(value * 180 / Math.PI);
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
};
let dragging = false;
element.addEventListener('pointerdown', (event) => {
  if (!event.target.matches('img') || event.button) return;
  dragging = true;
  element.setPointerCapture(event.pointerId);
  aim(event);
});
element.addEventListener('pointermove', (event) => { if (dragging) aim(event); });
['pointerup', 'pointercancel'].forEach((name) => element.addEventListener(name, () => { dragging = false; }));
