// The layouts of a latent map side by side. Plotly pans and zooms, finds the point under the pointer, and selects with
// the lasso. The faces are drawn on a 2-D canvas above it, which is smooth without a graphics card (WebGL is not). Here
// live color, tool and thumbnails; clicks, the pointer's position and the lasso go to the server. With the keyboard, each
// layout takes the focus: arrows move between faces, the space bar selects one, + and - zoom.
const GAP = 20, TITLE = 26, EDGE = 1.12, LARGEST = 150, SMALLEST = 12, PAUSE = 70, UNKNOWN = '#9ca3af';
const WORDS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#8a7a00', '#6b7280'];
const find = (selector) => element.querySelector(selector);
const plot = find('.plot'), canvas = find('.stage > canvas'), card = find('.card'), choice = find('.color'), axis = find('.axis');
const sprite = new Image(), layers = [];
let map = null, colors = [], selection = null, hovered = null, tool = 'pan', active = 0, last = 0, later = null;
// The chosen face is marked at once; the server's description follows. `asked` numbers the requests, so that a late
// answer to an earlier one is ignored.
let chosen = null, asked = 0;

const script = () => window.Plotly ? Promise.resolve() : new Promise((done, failed) => {
  const tag = document.createElement('script');
  Object.assign(tag, { src: plot.dataset.library, onload: done, onerror: failed });
  document.head.append(tag);
});
const axes = (k) => ['xaxis', 'yaxis'].map((name) => plot._fullLayout[name + (k ? k + 1 : '')]);
const style = (name) => getComputedStyle(element).getPropertyValue(name).trim();
const round = (value) => value === null ? '–' : Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(0);

// --- Colors -----------------------------------------------------------------------------------------------------
const mixColors = (part) => {
  const at = part * (map.scale.length - 1), low = Math.min(Math.floor(at), map.scale.length - 2);
  const rgb = map.scale[low].map((start, k) => Math.round(start + (map.scale[low + 1][k] - start) * (at - low)));
  return `rgb(${rgb})`;
};
const updateColors = () => {
  const column = map.columns[choice.value], legend = find('.legend');
  legend.replaceChildren();
  const addLabel = (text, color) => {
    const label = legend.appendChild(document.createElement('span'));
    if (color) label.appendChild(document.createElement('i')).style.background = color;
    label.append(text);
  };
  if (column.numbers) {
    const finite = column.numbers.filter((value) => value !== null).sort((a, b) => a - b);
    const low = finite[Math.floor(finite.length * 0.02)], high = finite[Math.ceil(finite.length * 0.98) - 1];
    const part = (value) => Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    colors = column.numbers.map((value) => value === null ? UNKNOWN : mixColors(part(value)));
    addLabel(round(low));
    legend.appendChild(document.createElement('b')).style.background =
      `linear-gradient(to right, ${map.scale.map((rgb) => `rgb(${rgb})`)})`;
    addLabel(round(high));
  } else {
    const color = (word) => column.words[word] ? WORDS[word % WORDS.length] : UNKNOWN;
    colors = column.index.map(color);
    if (column.words.length <= WORDS.length) column.words.forEach((word, k) => addLabel(word || 'unknown', color(k)));
  }
  if (colors.includes(UNKNOWN) && column.numbers) addLabel('unknown', UNKNOWN);
};

// --- Places -----------------------------------------------------------------------------------------------------
// Faces lie where the layout has them, or across by a value. In the latter case positions between faces mean nothing.
const placeFaces = () => {
  const numbers = map.columns[axis.value]?.numbers;
  const known = (numbers ?? []).filter((value) => value !== null).sort((a, b) => a - b);
  const low = known[Math.floor(known.length * 0.01)], high = known[Math.ceil(known.length * 0.99) - 1];
  const across = (value) => value === null ? -1 : Math.max(-1, Math.min(1, 2 * (value - low) / (high - low || 1) - 1));
  for (const kind of map.kinds) {
    kind.layout ??= kind.x;
    kind.x = numbers ? numbers.map(across) : kind.layout;
  }
};

// --- Drawing -----------------------------------------------------------------------------------------------------
const columnsOf = () => element.clientWidth > 620 ? map.kinds.length : 1;
const layout = () => {
  const across = columnsOf(), down = Math.ceil(map.kinds.length / across), width = find('.stage').clientWidth - 2;
  const tallest = document.fullscreenElement === element ? (window.innerHeight - 70) / down - TITLE : 560;
  const side = Math.min((width - GAP * (across - 1)) / across, tallest), height = down * (side + TITLE);
  const result = { width: width + 2, height: height + 1, margin: { l: 1, r: 1, t: 0, b: 1 }, dragmode: tool, hovermode: 'closest',
                   hoverdistance: 16, showlegend: false, paper_bgcolor: 'transparent', plot_bgcolor: 'transparent',
                   uirevision: map.names.length, annotations: [],
                   newselection: { line: { color: style('--color-accent'), width: 1.5, dash: 'solid' } } };
  map.kinds.forEach((kind, k) => {
    const left = (k % across) * (side + GAP), top = Math.floor(k / across) * (side + TITLE) + TITLE;
    const axis = { range: [-EDGE, EDGE], showgrid: false, zeroline: false, showticklabels: false, showline: true,
                   mirror: true, linecolor: style('--border-color-primary'), ticks: '' };
    const suffix = k ? k + 1 : '';
    result[`xaxis${suffix}`] = { ...axis, domain: [left / width, (left + side) / width], anchor: `y${suffix}` };
    result[`yaxis${suffix}`] = { ...axis, domain: [1 - (top + side) / height, 1 - top / height], anchor: `x${suffix}` };
    result.annotations.push({ text: kind.title, showarrow: false, xref: `x${suffix} domain`, yref: `y${suffix} domain`,
                              x: 0, y: 1, xanchor: 'left', yanchor: 'bottom',
                              font: { size: 13, color: style('--body-text-color'), family: style('--font') } });
  });
  return result;
};
const thumbnails = () => find('.show-thumbnails').checked && sprite.complete && sprite.naturalWidth > 0;
const show = async () => {
  if (!map || !window.Plotly || !element.clientWidth) return;
  // Plotly holds all points for its events, but draws only one, invisibly.
  const traces = map.kinds.map((kind, k) => ({
    type: 'scatter', mode: 'markers', x: kind.x, y: kind.y, hoverinfo: 'none', xaxis: `x${k ? k + 1 : ''}`,
    yaxis: `y${k ? k + 1 : ''}`, marker: { opacity: 0, maxdisplayed: 1 } }));
  await Plotly.react(plot, traces, layout(), { displayModeBar: false, scrollZoom: true, doubleClick: 'reset' });
  map.kinds.forEach((_, k) => {
    const [across, down] = axes(k), { style } = stops[k] ?? addStop(k);
    const box = { left: across._offset, top: down._offset, width: across._length, height: down._length };
    for (const [side, length] of Object.entries(box)) style[side] = `${length}px`;
  });
  repaint();
};
// A frame around each layout takes the keyboard focus and lets the pointer through.
const stops = [];
const addStop = (k) => {
  const stop = stops[k] = plot.parentElement.appendChild(document.createElement('div'));
  Object.assign(stop, { className: 'stop', tabIndex: 0, role: 'application', ariaLabel: `${map.kinds[k].title}: the arrow `
    + 'keys move between faces, the space bar selects or deselects a face, plus and minus zoom' });
  stop.addEventListener('focus', () => { active = k; });
  stop.addEventListener('keydown', onKey);
  return stop;
};
const tileOf = (index) => [(index % map.across) * map.tile, Math.floor(index / map.across) * map.tile];
const draw = () => {
  const { width, height } = plot._fullLayout ?? {}, ratio = window.devicePixelRatio || 1;
  if (!width || !map) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = canvas.getContext('2d');
  context.resetTransform();
  context.clearRect(0, 0, canvas.width, canvas.height);
  map.kinds.forEach((kind, k) => {
    const [across, down] = axes(k);
    const box = [across._offset, down._offset, across._length, down._length];
    const [left, top] = [across._offset + across.l2p(0), down._offset + down.l2p(0)];
    const [right, up] = [across.l2p(1) - across.l2p(0), down.l2p(1) - down.l2p(0)];
    const place = (x, y) => [left + right * x, top + up * y];
    const view = [ratio, ...box, left, top, right, up].join();
    if (layers[k]?.view !== view) layers[k] = { view, ...drawFaces(kind, place, box, ratio, layers[k]?.layer) };
    const { layer, side } = layers[k];
    context.save(); context.beginPath(); context.rect(...box.map((length) => length * ratio)); context.clip();
    context.drawImage(layer, Math.floor(box[0] * ratio), Math.floor(box[1] * ratio));
    context.scale(ratio, ratio);
    drawMarks(context, kind, place, Math.max(side * 1.25, 30));
    context.restore();
  });
};
// Draw the faces of a layout as thumbnails, or as points where thumbnails would be too small. Only a layout that moved
// is drawn again.
const drawFaces = (kind, place, box, ratio, layer = document.createElement('canvas')) => {
  const [x0, y0] = [Math.floor(box[0] * ratio), Math.floor(box[1] * ratio)], inside = [];
  Object.assign(layer, { width: Math.ceil(box[2] * ratio) + 1, height: Math.ceil(box[3] * ratio) + 1 });
  for (let i = 0; i < kind.x.length; i++) {
    const [x, y] = place(kind.x[i], kind.y[i]);
    if (x > box[0] - 30 && x < box[0] + box[2] + 30 && y > box[1] - 30 && y < box[1] + box[3] + 30)
      inside.push([i, x, y]);
  }
  const side = Math.min(LARGEST, 0.4 * box[2], 1.1 * Math.sqrt(box[2] * box[3] / Math.max(1, inside.length)));
  const radius = Math.max(1.5, Math.min(4, 80 / Math.sqrt(kind.x.length)));
  const large = thumbnails() && side >= SMALLEST, selected = selection && new Set(selection);
  const context = layer.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, -x0, -y0);
  for (const [i, x, y] of inside) {
    context.globalAlpha = selected && !selected.has(i) ? 0.15 : 1;
    if (large) drawThumbnail(context, i, x, y, side, 2, colors[i]); else drawPoint(context, x, y, radius, colors[i]);
  }
  return { layer, side };
};
const drawThumbnail = (context, i, x, y, side, rim, color) => {
  context.fillStyle = color;
  context.fillRect(x - side / 2 - rim, y - side / 2 - rim, side + 2 * rim, side + 2 * rim);
  context.drawImage(sprite, ...tileOf(i), map.tile, map.tile, x - side / 2, y - side / 2, side, side);
};
const drawPoint = (context, x, y, radius, color) => {
  context.beginPath(); context.arc(x, y, radius, 0, 7); context.fillStyle = color; context.fill();
};
// The mouse moves more often than the screen refreshes.
let waiting = null;
const drawSoon = () => {
  waiting ??= requestAnimationFrame(() => { waiting = null; draw(); });
};
// Draw all faces again.
const repaint = () => {
  for (const one of layers) one.view = null;
  draw();
};
// Mark the chosen face, its neighbours, and the position of the current face.
const drawMarks = (context, kind, place, large) => {
  const { near, current } = props.marks ?? {};
  const ring = (x, y, radius, color) => {
    for (const [line, ink] of [[5, style('--background-fill-primary')], [2.5, color]]) {
      context.beginPath(); context.arc(x, y, radius, 0, 7);
      context.lineWidth = line; context.strokeStyle = ink; context.stroke();
    }
  };
  for (const i of near?.[kind.key] ?? []) ring(...place(kind.x[i], kind.y[i]), 7, style('--body-text-color'));
  for (const i of [chosen, hovered]) if (i !== null && i !== undefined && i < kind.x.length) {
    const spot = place(kind.x[i], kind.y[i]), accent = style('--color-accent');
    if (sprite.naturalWidth) drawThumbnail(context, i, ...spot, large, 3, accent); else ring(...spot, 9, accent);
  }
  if (!current?.[kind.key] || axis.value) return;
  const [x, y] = place(...current[kind.key]);
  ring(x, y, 11, '#d97706');
  context.beginPath(); context.arc(x, y, 4, 0, 7); context.fillStyle = '#d97706'; context.fill();
};

// --- The pointer -------------------------------------------------------------------------------------------------
const positionOf = (event) => {
  const box = plot.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  for (let k = 0; map && plot._fullLayout && k < map.kinds.length; k++) {
    const [across, down] = axes(k), left = x - across._offset, top = y - down._offset;
    if (left >= 0 && left <= across._length && top >= 0 && top <= down._length) {
      active = k;
      return { kind: map.kinds[k].key, x: across.p2l(left), y: down.p2l(top) };
    }
  }
  return null;
};
const point = (place) => { if (axis.value) return; last = performance.now(); send('point', place); };
const onPointerMove = (event) => {
  const place = !event.buttons && positionOf(event);
  clearTimeout(later);
  if (!place) return;
  later = setTimeout(() => point(place), Math.max(0, PAUSE - (performance.now() - last)));
};
plot.addEventListener('pointermove', onPointerMove);
plot.addEventListener('pointerleave', () => { clearTimeout(later); hover(null); });
const hover = (index, event) => {
  if (hovered !== index) { hovered = index; drawSoon(); }
  card.hidden = index === null;
  if (index === null) return;
  const box = element.getBoundingClientRect(), column = map.columns[choice.value];
  find('.card canvas').getContext('2d').drawImage(sprite, ...tileOf(index), map.tile, map.tile, 0, 0, 48, 48);
  find('.card b').textContent = map.names[index];
  find('.card span').textContent = `${column.label}: ` +
    (column.numbers ? round(column.numbers[index]) : column.words[column.index[index]] || 'unknown');
  card.style.left = `${Math.max(0, Math.min(event.clientX - box.left + 24, box.width - card.offsetWidth))}px`;
  card.style.top = `${event.clientY - box.top + 24}px`;
};
const choose = (index) => {
  chosen = index;
  drawSoon();
  send('select', { index, number: ++asked });
};
for (const [id, name] of [['map-subject', 'show'], ['map-donor', 'use_expression']]) {
  document.addEventListener('click', ({ target }) => {
    if (target.closest(`#${id}`) && chosen !== null) send(name, { index: chosen });
  });
}
document.addEventListener('click', ({ target }) => {
  const near = target.closest('#map-near [data-index]');
  if (near) choose(+near.dataset.index);
});
const onKey = (event) => {
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const zoom = { '+': 0.7, '-': 1 / 0.7 }[event.key], from = chosen;
  if (event.ctrlKey || event.metaKey || !direction && !zoom && event.key !== ' ') return;
  event.preventDefault();
  if (zoom) zoomBy(zoom, from);
  else if (from === null) moveTo(props.marks?.near[map.kinds[active].key][0] ?? 0);
  else if (direction) step(direction, from);
  else select(selection?.includes(from) ? selection.filter((one) => one !== from) : [...selection ?? [], from]);
};
const moveTo = (index) => {
  const { key, x, y } = map.kinds[active];
  choose(index);
  point({ kind: key, x: x[index], y: y[index] });
};
const step = (direction, from) => {
  const kind = map.kinds[active];
  let best = null, least = Infinity;
  kind.x.forEach((x, i) => {
    const dx = x - kind.x[from], dy = kind.y[i] - kind.y[from], ahead = dx * direction[0] + dy * direction[1];
    const cost = Math.hypot(dx, dy) ** 2 / ahead;
    if (i !== from && ahead > 0 && cost < least) { least = cost; best = i; }
  });
  if (best !== null) moveTo(best);
};
// Zoom about the chosen face, or about the centre.
const zoomBy = (factor, from) => {
  const kind = map.kinds[active], middle = from === null ? [0, 0] : [kind.x[from], kind.y[from]];
  const ranges = axes(active).map((axis, k) => [`${axis._name}.range`,
    axis.range.map((end) => middle[k] + (end - middle[k]) * factor)]);
  Plotly.relayout(plot, Object.fromEntries(ranges));
};

// --- Setup -------------------------------------------------------------------------------------------------------
const select = (indices) => {
  selection = indices?.length ? indices : null;
  repaint();
  send('lasso', { indices: selection ?? [] });
};
// Plotly may return any point within three pixels of the pointer; take the nearest.
const nearest = ({ points: [{ pointIndex }], event }) => {
  const place = positionOf(event), kind = map.kinds[active];
  const away = (i) => Math.hypot(kind.x[i] - place.x, kind.y[i] - place.y);
  return place ? kind.x.reduce((best, _, i) => away(i) < away(best) ? i : best, pointIndex) : pointIndex;
};
const addListeners = () => {
  plot.on('plotly_hover', (event) => hover(nearest(event), event.event));
  plot.on('plotly_unhover', () => hover(null));
  plot.on('plotly_click', (event) => choose(nearest(event)));
  plot.on('plotly_selected', (event) => event && select(event.points.map((one) => one.pointIndex)));
  plot.on('plotly_deselect', () => select(null));
  for (const name of ['plotly_relayouting', 'plotly_relayout', 'plotly_afterplot']) plot.on(name, drawSoon);
};
const open = async () => {
  if (!props.value) return;
  map = props.value;
  props.value = null;  // gradio copies a component's value at every event, and this one is large
  selection = hovered = null;
  sprite.src = map.sprite;
  const before = choice.value;
  choice.replaceChildren(...map.columns.map((column, k) => new Option(column.label, k)));
  choice.value = map.columns[before] ? before : 0;
  const numbers = map.columns.map((column, k) => column.numbers && new Option(column.label, k)).filter(Boolean);
  axis.replaceChildren(new Option('layout', ''), ...numbers);
  updateColors();
  await script();
  await show();
  if (!plot.dataset.ready) addListeners();
  plot.dataset.ready = 'yes';
};
sprite.addEventListener('load', repaint);
choice.addEventListener('change', () => { updateColors(); show(); });
axis.addEventListener('change', async () => { placeFaces(); await show(); find('.whole').click(); });
find('.screen').addEventListener('click', () => {
  if (document.fullscreenElement) document.exitFullscreen(); else element.requestFullscreen();
});
find('.show-thumbnails').addEventListener('change', repaint);
element.querySelectorAll('.tool').forEach((button) => button.addEventListener('click', () => {
  tool = button.value;
  element.querySelectorAll('.tool').forEach((one) => one.setAttribute('aria-pressed', one === button));
  if (plot._fullLayout) Plotly.relayout(plot, { dragmode: tool });
}));
find('.whole').addEventListener('click', () => {
  if (!plot._fullLayout) return;
  const ranges = map.kinds.flatMap((_, k) => ['xaxis', 'yaxis'].map((name) =>
    [`${name}${k ? k + 1 : ''}.range`, [-EDGE, EDGE]]));
  Plotly.relayout(plot, { ...Object.fromEntries(ranges), selections: [] });
  select(null);
});
watch('value', open);
watch('marks', () => {
  if ((props.marks.number ?? asked) === asked) chosen = props.marks.chosen;  // otherwise another face was chosen since
  draw();
});
// The map is loaded when its tab is first opened, and laid out again when the window's size changes.
let opened = false;
new ResizeObserver(() => {
  if (map) show();
  else if (element.clientWidth && !opened) { opened = true; trigger('open'); }
}).observe(element);
