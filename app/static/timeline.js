// A film over time: its frames, and plots of what changes. The cursor is moved by dragging over them or by the arrow
// keys; play moves it at the film's own speed. What is left out of the export is shaded.
const COLORS = ['#0d9488', '#d97706', '#6366f1', '#db2777', '#65a30d'];
const ROW = 96, GAP = 12;
const find = (selector) => element.querySelector(selector);
const strip = find('.strip'), plots = find('.plots'), cursor = find('.cursor'), output = find('output');
let film = null, second = 0, span = [0, Infinity], playing = 0;

const script = () => window.Plotly ? Promise.resolve() : new Promise((done, failed) => {
  const tag = document.createElement('script');
  Object.assign(tag, { src: plots.dataset.library, onload: done, onerror: failed });
  document.head.append(tag);
});
const style = (name) => getComputedStyle(element).getPropertyValue(name).trim();
const near = () => film.times.reduce((best, time, index) =>
  Math.abs(time - second) < Math.abs(film.times[best] - second) ? index : best, 0);

// --- Drawing -----------------------------------------------------------------------------------------------------
const legend = () => film.groups.forEach((group, g) => {
  const index = near(), rows = plots.querySelectorAll('.legend')[g];
  rows.replaceChildren();
  rows.appendChild(document.createElement('b')).textContent = group.title;
  group.lines.forEach((line, k) => {
    const row = rows.appendChild(document.createElement('span'));
    row.appendChild(document.createElement('i')).style.background = COLORS[k];
    row.append(line.name);
    row.appendChild(document.createElement('output')).textContent =
      `${line.values[index].toFixed(group.unit ? 0 : 2).replace(/^-0$/, '0')}${group.unit}`;
  });
});
const traces = (group) => {
  const lines = group.lines.map((line, k) => {
    const x = [], y = [];
    line.values.forEach((value, index) => {  // a gap where the face was away
      if (index && film.starts[index]) { x.push(null); y.push(null); }
      x.push(film.times[index]); y.push(value);
    });
    return { x, y, mode: 'lines', line: { width: 1.5, color: COLORS[k] }, hoverinfo: 'skip' };
  });
  return lines;
};
const draw = async () => {
  if (!film || !element.clientWidth) return;
  await script();
  film.groups.forEach((group, g) => {
    const grid = style('--border-color-primary'), axis = { fixedrange: true, zeroline: false, gridcolor: grid,
      tickfont: { size: 10, color: style('--body-text-color-subdued') } };
    const shapes = group.band === undefined ? [] : [{ type: 'rect', xref: 'paper', x0: 0, x1: 1, y0: 0, y1: group.band,
      fillcolor: COLORS[0], opacity: 0.12, line: { width: 0 }, layer: 'below' }];
    Plotly.react(plots.querySelectorAll('.plot')[g], traces(group), {
      height: ROW, margin: { l: 34, r: 0, t: 4, b: g === film.groups.length - 1 ? 18 : 4 }, showlegend: false, shapes,
      paper_bgcolor: 'transparent', plot_bgcolor: 'transparent',
      xaxis: { ...axis, range: [0, film.seconds], showticklabels: g === film.groups.length - 1, ticksuffix: ' s' },
      yaxis: { ...axis, nticks: 3, rangemode: group.band === undefined ? 'normal' : 'tozero' },
    }, { staticPlot: true, responsive: true });
  });
  place();
  plots.dataset.ready = '';
};
const place = () => {
  const box = strip.getBoundingClientRect(), outer = element.getBoundingClientRect();
  const at = (time) => box.left - outer.left + Math.min(1, Math.max(0, time / film.seconds)) * box.width;
  const top = `top: ${box.top - outer.top}px`;
  cursor.style.cssText = `${top}; left: ${at(second)}px`;
  find('.before').style.cssText = `${top}; left: ${at(0)}px; width: ${at(span[0]) - at(0)}px`;
  find('.after').style.cssText = `${top}; left: ${at(span[1])}px; width: ${at(Infinity) - at(span[1])}px`;
  strip.setAttribute('aria-valuenow', second.toFixed(2));
  const chosen = span[0] > 0 || span[1] < film.seconds;
  const end = Math.min(span[1], film.seconds);
  output.textContent = `${second.toFixed(2)} s` + (chosen ? `; to export: ${span[0].toFixed(2)} to ${end.toFixed(2)} s` : '');
  legend();
};
const build = () => {
  film = props.value;
  if (!film) return;
  second = film.neutral; span = [0, Infinity]; stopPlaying();
  strip.replaceChildren(...film.strip.map((src) => Object.assign(new Image(), { src, alt: '', draggable: false })));
  strip.setAttribute('aria-valuemax', film.seconds.toFixed(2));
  plots.replaceChildren(...film.groups.flatMap(() => ['legend', 'plot'].map((name) =>
    Object.assign(document.createElement('div'), { className: name }))));
  draw();
};

// --- The cursor --------------------------------------------------------------------------------------------------
const move = (time) => {
  second = Math.min(film.seconds, Math.max(0, time));
  place();
  send('scrub', { second });
};
const timeAt = (event) => {
  const box = strip.getBoundingClientRect();
  return (event.clientX - box.left) / box.width * film.seconds;
};
let held = false;
element.addEventListener('pointerdown', (event) => {
  if (!event.target.closest('.strip, .plot') || event.button) return;
  stopPlaying();
  held = true;
  element.setPointerCapture(event.pointerId);
  move(timeAt(event));
});
element.addEventListener('pointermove', (event) => { if (held) move(timeAt(event)); });
['pointerup', 'pointercancel'].forEach((name) => element.addEventListener(name, () => { held = false; }));
strip.addEventListener('keydown', (event) => {
  const index = near(), step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const time = step ? film.times[index + step] : { Home: 0, End: film.seconds }[event.key];
  if (event.key === ' ') play();
  else if (time === undefined) return;
  else move(time);
  event.preventDefault();
});
const stopPlaying = () => {
  cancelAnimationFrame(playing);
  playing = 0;
  find('.play').textContent = 'Play';
  find('.play').setAttribute('aria-pressed', false);
};
const play = () => {
  if (playing) { stopPlaying(); return; }
  const end = Math.min(span[1], film.seconds), begin = performance.now();
  const from = second < span[0] || second >= end - 0.05 ? span[0] : second;
  find('.play').textContent = 'Pause';
  find('.play').setAttribute('aria-pressed', true);
  const tick = (now) => {
    if (!element.offsetParent) { stopPlaying(); return; }
    move(Math.min(end, from + (now - begin) / 1000));
    if (second < end) playing = requestAnimationFrame(tick); else stopPlaying();
  };
  playing = requestAnimationFrame(tick);
};
const choose = (begin, end) => {
  span = [begin, end];
  place();
  send('span', { begin, end: Math.min(end, 1e6) });
};
element.addEventListener('click', ({ target }) => {
  if (!film) return;
  if (target.matches('.play')) play();
  if (target.matches('.begin')) choose(second, span[1] > second ? span[1] : Infinity);
  if (target.matches('.end')) choose(span[0] < second ? span[0] : 0, second);
  if (target.matches('.all')) choose(0, Infinity);
});
new ResizeObserver(() => draw()).observe(element);
new MutationObserver(() => draw()).observe(document.body, { attributeFilter: ['class'] });  // light or dark
watch('value', build);
build();
