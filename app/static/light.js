// Dragging on the ball moves the light there.
const REACH = 1.08;
const aim = (event) => {
  const box = element.querySelector('#ball img').getBoundingClientRect();
  let x = ((event.clientX - box.left) / box.width * 2 - 1) * REACH;
  let y = ((event.clientY - box.top) / box.height * 2 - 1) * REACH;
  const length = Math.max(1, Math.hypot(x, y) / 0.98);
  x /= length; y /= length;
  const z = Math.sqrt(1 - x * x - y * y);
  for (const [id, value] of [['across', Math.atan2(x, z)], ['above', Math.atan2(-y, z)]]) {
    move(id, Math.round(value * 180 / Math.PI));
  }
};
let aiming = false;
element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('#ball') || event.button) return;
  aiming = true;
  event.target.setPointerCapture(event.pointerId);
  aim(event);
});
element.addEventListener('pointermove', (event) => { if (aiming) aim(event); });
['pointerup', 'pointercancel'].forEach((name) => element.addEventListener(name, () => { aiming = false; }));
