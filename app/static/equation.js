// A click on a tile enlarges it and compares it. Under the pointer, every tile of the same frame shows its value there.
const dialog = element.querySelector('dialog');
const big = dialog.querySelector('.compare');
let unpacked = {};
watch('values', () => { unpacked = {}; });

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
  if (event.target.closest('.compare') && big.dataset.key in props.values) {
    dialog.querySelector('output').textContent = valuesAt(big.dataset.key, ...place(event, big));
  }
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
  big.style.setProperty('--wipe', `${value}%`);
  big.querySelector('input').value = value;
};
element.addEventListener('input', (event) => wipe(event.target.value));
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (event.target === dialog) dialog.close();
  if (!tile || !event.target.closest('button')) return;
  const image = tile.querySelector('img');
  const against = { canonical: 'canonical', photo: 'photo' }[tile.dataset.frame];
  big.dataset.key = tile.dataset.key;
  big.querySelector('.over').src = image.src;
  big.querySelector('.over').alt = image.alt;
  big.querySelector('.under').src = (against ? element.querySelector(`.tile.${against} img`) : image).src;
  wipe(0);
  dialog.querySelector('h3').textContent = tile.querySelector('b').textContent;
  dialog.querySelector('output').textContent = '';
  dialog.querySelector('p').textContent = tile.querySelector('button').title + (against && against !== tile.dataset.key
    ? ` Drag over the image to compare it with the ${against === 'photo' ? 'photo' : 'canonical face'}.` : '');
  dialog.querySelector('.scale').innerHTML = tile.querySelector('.scale').innerHTML;
  dialog.showModal();
});
