// A click on a tile enlarges it, for a closer look and to compare. Under the pointer, every tile that shows the same
// pixels says its number there.
const dialog = element.querySelector('dialog');
const big = dialog.querySelector('.compare');
let unpacked = {};
watch('numbers', () => { unpacked = {}; });

const numbersAt = (key, across, down) => {
  const packed = props.numbers[key];
  unpacked[key] ??= new Uint16Array(Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0)).buffer);
  const [channels, height, width] = packed.shape;
  const [row, column] = [Math.floor(down * height), Math.floor(across * width)];
  const values = Array.from({ length: channels }, (_, channel) =>
    packed.low + unpacked[key][(channel * height + row) * width + column] / 65535 * (packed.high - packed.low));
  return values.map((value) => value.toFixed(channels > 1 ? 2 : 3)).join(' ');
};
const place = (event, picture) => {
  const box = picture.getBoundingClientRect();
  const inside = (part) => Math.min(0.9999, Math.max(0, part));
  return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
};
const forget = () => element.querySelectorAll('.tile[data-at]').forEach((tile) => tile.removeAttribute('data-at'));
element.addEventListener('pointermove', (event) => {
  const tile = event.target.closest('.tile[data-frame]');
  if (event.target.closest('.compare') && big.dataset.key in props.numbers) {
    dialog.querySelector('output').textContent = numbersAt(big.dataset.key, ...place(event, big));
  }
  forget();
  if (!tile || !event.target.closest('button')) return;
  const [across, down] = place(event, tile.querySelector('img'));
  for (const other of element.querySelectorAll(`.tile[data-frame="${tile.dataset.frame}"]`)) {
    other.dataset.at = '';
    other.style.setProperty('--at', `"${numbersAt(other.dataset.key, across, down)}"`);
    other.style.setProperty('--x', `${across * 100}%`);
    other.style.setProperty('--y', `${down * 100}%`);
  }
});
element.addEventListener('pointerleave', forget);

const wipe = (value) => {
  big.style.setProperty('--wipe', `${value}%`);
  big.querySelector('input').value = value;
};
element.addEventListener('input', (event) => wipe(event.target.value));
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  if (event.target === dialog) dialog.close();
  if (!tile || !event.target.closest('button')) return;
  const picture = tile.querySelector('img');
  const against = { canonical: 'canonical', photo: 'photo' }[tile.dataset.frame];
  big.dataset.key = tile.dataset.key;
  big.querySelector('.over').src = picture.src;
  big.querySelector('.over').alt = picture.alt;
  big.querySelector('.under').src = (against ? element.querySelector(`.tile.${against} img`) : picture).src;
  wipe(0);
  dialog.querySelector('h3').textContent = tile.querySelector('b').textContent;
  dialog.querySelector('output').textContent = '';
  dialog.querySelector('p').textContent = tile.querySelector('button').title + (against && against !== tile.dataset.key
    ? ` Drag over the picture to compare it with the ${against === 'photo' ? 'photo' : 'canonical face'}.` : '');
  dialog.querySelector('.scale').innerHTML = tile.querySelector('.scale').innerHTML;
  dialog.showModal();
});
