// One row for each slider; the band on its track is the range that is seen in data.
const list = element.querySelector('.sliders');
const search = element.querySelector('input[type=search]');
const more = element.querySelector('.more');
const rows = new Map();
for (const [index, item] of props.items.entries()) {
  const row = document.createElement('label');
  const part = (value) => `${50 + 50 * Math.max(-1, Math.min(1, value / item.end))}%`;
  row.dataset.name = item.name;
  row.classList.toggle('rest', index >= props.first);
  row.style.setProperty('--low', part(item.low));
  row.style.setProperty('--high', part(item.high));
  const title = Object.assign(document.createElement('span'), { textContent: item.name });
  const input = Object.assign(document.createElement('input'), { type: 'range', min: -item.end, max: item.end,
    step: props.step, value: 0, title: `Seen in data: ${item.low.toFixed(1)} to ${item.high.toFixed(1)} ${item.unit}` });
  const output = document.createElement('output');
  row.append(title, input, output);
  list.append(row);
  rows.set(item.name, { row, input, output, unit: item.unit });
}
const label = ({ row, input, output, unit }) => {
  const place = 50 + 50 * input.value / input.max;
  row.style.setProperty('--left', `${Math.min(50, place)}%`);
  row.style.setProperty('--right', `${Math.max(50, place)}%`);
  output.textContent = +input.value ? `${input.value > 0 ? '+' : '−'}${Math.abs(input.value).toFixed(2)}${unit}` : '0';
  row.classList.toggle('moved', +input.value !== 0);
};
const showValue = () => rows.forEach((one, name) => {
  const amount = props.value?.[name] ?? 0;
  if (+one.input.value !== amount) one.input.value = amount;
  label(one);
});
showValue();
watch('value', showValue);
list.addEventListener('input', ({ target }) => {
  const name = target.closest('label').dataset.name;
  label(rows.get(name));
  props.value = Object.fromEntries(Object.entries({ ...props.value, [name]: +target.value }).filter(([, value]) => value));
  trigger('input');
});
const reset = ({ target }) => {
  const input = target.closest('label')?.querySelector('input');
  if (!input || +input.value === 0) return;
  input.value = 0;
  input.dispatchEvent(new Event('input', { bubbles: true }));
};
list.addEventListener('dblclick', reset);
list.addEventListener('keydown', (event) => { if (event.key === 'Delete') reset(event); });

// The influence of the slider under the pointer, or of the one that has the focus, is shown on the face.
const point = (name) => {
  document.dispatchEvent(new CustomEvent('influence', { detail: name }));
  if (name) send('hover', { name });
};
let waiting = 0;
const later = (name) => { clearTimeout(waiting); waiting = setTimeout(() => point(name), 120); };
list.addEventListener('pointerover', ({ target }) => later(target.closest('label')?.dataset.name));
list.addEventListener('pointerleave', () => later(null));
list.addEventListener('pointerdown', () => later(null));

const show = () => {
  const words = search.value.trim().toLowerCase();
  const all = more.getAttribute('aria-expanded') === 'true';
  element.classList.toggle('all', all || Boolean(words));
  rows.forEach(({ row }, name) => { row.hidden = !name.toLowerCase().includes(words); });
  more.textContent = all ? 'Fewer' : `All ${rows.size}`;
};
search.addEventListener('input', show);
more.addEventListener('click', () => {
  more.setAttribute('aria-expanded', more.getAttribute('aria-expanded') !== 'true');
  show();
});
search.hidden = more.hidden = rows.size <= props.first;
show();
