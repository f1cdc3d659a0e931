// A click on a tile enlarges it over the live render and compares it; Back and Next go through the equation. Under the
// pointer, every tile of the same frame shows its value there.
const stage = () => document.querySelector('#enlarged');
const part = (name) => stage().querySelector(name);
let unpacked = {};
let shown = null;  // key of the enlarged tile

const valuesAt = (key, across, down) => {
  const packed = props.values[key];
  unpacked[key] ??= new Uint16Array(Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0)).buffer);
  const [channels, height, width] = packed.shape;
  const [row, column] = [Math.floor(down * height), Math.floor(across * width)];
  const values = Array.from({ length: channels }, (_, channel) =>
    packed.low + unpacked[key][(channel * height + row) * width + column] / 65535 * (packed.high - packed.low));
  return values.map((value) => value.toFixed(channels > 1 ? 2 : 3)).join(' ');
};
const place = (event, image) => {
  const box = image.getBoundingClientRect();
  const inside = (part) => Math.min(0.9999, Math.max(0, part));
  return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
};
const clearValues = () => element.querySelectorAll('.tile[data-at]').forEach((tile) => tile.removeAttribute('data-at'));
element.addEventListener('pointermove', (event) => {
  const tile = event.target.closest('.tile[data-frame]');
  clearValues();
  if (!tile || !event.target.closest('button')) return;
  const [across, down] = place(event, tile.querySelector('img'));
  for (const other of element.querySelectorAll(`.tile[data-frame="${tile.dataset.frame}"]`)) {
    other.dataset.at = '';
    other.style.setProperty('--at', `"${valuesAt(other.dataset.key, across, down)}"`);
    other.style.setProperty('--x', `${across * 100}%`);
    other.style.setProperty('--y', `${down * 100}%`);
  }
});
element.addEventListener('pointerleave', clearValues);

const wipe = (value) => {
  part('.compare').style.setProperty('--wipe', `${value}%`);
  part('input').value = value;
};
const fill = () => {
  const tile = shown && element.querySelector(`.tile[data-key="${shown}"]`);
  stage().classList.toggle('open', Boolean(tile));
  if (!tile) return;
  const image = tile.querySelector('img');
  const against = { canonical: 'canonical', photo: 'photo' }[tile.dataset.frame];
  part('.compare').classList.toggle('masked', tile.dataset.frame === 'canonical');
  part('.over').src = image.src;
  part('.over').alt = image.alt;
  part('.under').src = (against ? element.querySelector(`.tile.${against} img`) : image).src;
  part('h3').textContent = tile.querySelector('b').textContent;
  part('p').textContent = tile.querySelector('button').title + (against && against !== shown
    ? ` Drag over the image to compare it with the ${against === 'photo' ? 'photo' : 'canonical face'}.` : '');
  part('.scale').innerHTML = tile.querySelector('.scale').innerHTML;
};
const enlarge = (key, wiped = 0) => {
  shown = key;
  part('output').textContent = '';
  fill();
  wipe(wiped);
  document.dispatchEvent(new Event('enlarge'));
};
const step = (by) => {
  const keys = [...element.querySelectorAll('.tile')].map((tile) => tile.dataset.key);
  enlarge(keys[(keys.indexOf(shown) + by + keys.length) % keys.length]);
};
watch('values', () => { unpacked = {}; });
watch('value', () => queueMicrotask(fill));
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (tile && event.target.closest('button')) enlarge(tile.dataset.key);
  if (event.target.closest('.explain')) enlarge(element.querySelector('.tile').dataset.key);
  if (tile || event.target.closest('.explain')) stage().scrollIntoView({ block: 'nearest' });
});
document.addEventListener('enlarge-tile', (event) => enlarge(event.detail, 50));
document.addEventListener('click', ({ target }) => {
  if (target.closest('#enlarged .close')) enlarge(null);
  if (target.closest('#enlarged .earlier')) step(-1);
  if (target.closest('#enlarged .later')) step(1);
});
document.addEventListener('keydown', (event) => { if (event.key === 'Escape' && shown) enlarge(null); });
document.addEventListener('input', ({ target }) => { if (target.closest('#enlarged')) wipe(target.value); });
document.addEventListener('pointermove', (event) => {
  if (event.target.closest?.('#enlarged .compare') && shown in props.values) {
    part('output').textContent = valuesAt(shown, ...place(event, part('.compare')));
  }
});
