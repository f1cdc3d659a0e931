// The 3-D view. Three.js and a face's surface are fetched once the view is seen, and the canvas is drawn again only
// where something changed. Morph targets carry no normals: those of lit surfaces are computed here after each move.
const CLAY_LIGHT = [0.4, 0.6];  // ambient and diffuse; clay shows shape, whatever the photo's light is
const FIELD_OF_VIEW = 20, FILL = 0.9, STEP = 0.12, CLAY = 0xc9c2b8;
const HEAD = 0.68;  // of a bust's height
const SHADED = new Set(['lit', 'clay', 'normals']);
const find = (selector) => element.querySelector(selector);
const stage = find('.stage'), canvas = find('canvas'), note = find('.note');
let three, renderer, scene, camera, controls, ambient, lamp, shown, mixer, clip;
let mode = 'unlit', seen = false, drawn = false, asked = '';

// --- Drawing -------------------------------------------------------------------------------------------------------
const moving = () => seen && !document.hidden && (find('.turntable').checked || (clip && !clip.paused));
let last = 0;
const draw = (now) => {
  drawn = false;
  const seconds = Math.min((now - last) / 1000, 0.1);
  last = now;
  if (clip && !clip.paused) {
    mixer.update(seconds);
    shownWeights();
  }
  controls.autoRotate = find('.turntable').checked;
  controls.update(seconds);
  renderer.render(scene, camera);
  if (moving()) redraw();
};
const redraw = () => {
  if (drawn || !renderer) return;
  drawn = true;
  requestAnimationFrame(draw);
};
const resize = () => {
  if (!renderer || !stage.clientWidth) return;
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
  renderer.setSize(stage.clientWidth, stage.clientHeight, false);
  camera.aspect = stage.clientWidth / stage.clientHeight;
  camera.updateProjectionMatrix();
  redraw();
};

// --- Light: the page's sliders, once they are there ----------------------------------------------------------------
const slider = (name) => document.querySelector(`#${name} input[type=range]`);
const updateLight = () => {
  if (!renderer) return;
  const value = (name) => +(slider(name)?.value ?? props.light[name] ?? 0.5);
  const slope = (name) => Math.tan(value(name) * Math.PI / 180);
  lamp.position.set(slope('across'), slope('above'), 1);
  const [own, beam] = mode === 'clay' ? CLAY_LIGHT : [value('ambient'), value('diffuse')];
  // The page multiplies colors as they are stored; three.js multiplies linear light. Both agree on the darkest and the
  // brightest side. A surface that faces the camera keeps its color.
  const front = own + beam / Math.hypot(slope('across'), slope('above'), 1);
  const linear = (shading) => (shading / Math.max(front, 0.05)) ** 2.2 * Math.PI;
  ambient.intensity = linear(own);
  lamp.intensity = linear(own + beam) - ambient.intensity;
  redraw();
};

// --- The surface ---------------------------------------------------------------------------------------------------
// One mesh of all parts: each would hold its own copy of the morph targets on the graphics card.
const joined = (parts) => {
  const [{ geometry }] = parts, mesh = parts[0];
  const indices = parts.map((part) => part.geometry.index.array);
  const index = new Uint32Array(indices.reduce((total, array) => total + array.length, 0));
  geometry.clearGroups();
  let start = 0;
  indices.forEach((array, k) => {
    index.set(array, start);
    geometry.addGroup(start, array.length, k);
    start += array.length;
  });
  geometry.setIndex(new three.BufferAttribute(index, 1));
  mesh.material = parts.map((part) => part.material);
  parts.slice(1).forEach((part) => part.removeFromParent());
  return mesh;
};
// For each vertex the first one at its place: textures split vertices, and normals must not show the seam.
const firstAtPlace = (positions) => {
  const first = new Map(), found = new Uint32Array(positions.length / 3);
  for (let k = 0; k < found.length; k++) {
    const key = `${positions[3 * k]},${positions[3 * k + 1]},${positions[3 * k + 2]}`;
    if (!first.has(key)) first.set(key, k);
    found[k] = first.get(key);
  }
  return found;
};
const updateNormals = () => {
  const { geometry, morphTargetInfluences: weights } = shown.mesh;
  if (!weights) return;
  const place = Float32Array.from(geometry.attributes.position.array), sum = new Float32Array(place.length);
  weights.forEach((weight, k) => {
    const moved = geometry.morphAttributes.position[k].array;
    if (weight) for (let at = 0; at < place.length; at++) place[at] += weight * moved[at];
  });
  const index = geometry.index.array, { first } = shown;
  for (let t = 0; t < index.length; t += 3) {
    const [a, b, c] = [3 * index[t], 3 * index[t + 1], 3 * index[t + 2]];
    const [ux, uy, uz] = [place[b] - place[a], place[b + 1] - place[a + 1], place[b + 2] - place[a + 2]];
    const [vx, vy, vz] = [place[c] - place[a], place[c + 1] - place[a + 1], place[c + 2] - place[a + 2]];
    const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) sum[3 * first[corner / 3] + k] += normal[k];
  }
  const normals = geometry.attributes.normal;
  first.forEach((from, k) => normals.setXYZ(k, ...sum.subarray(3 * from, 3 * from + 3)));
  normals.needsUpdate = true;  // the shader makes them unit length
};
const material = (own) => {
  const { map, color, side, transparent, depthWrite } = own;
  const image = { map, color, side, transparent, depthWrite };
  if (mode === 'lit') return new three.MeshLambertMaterial(image);
  if (mode === 'clay') return new three.MeshLambertMaterial({ color: CLAY, side });
  if (mode === 'normals') return new three.MeshNormalMaterial({ side });
  if (mode === 'unlit') return new three.MeshBasicMaterial(image);
  const ink = new three.Color(getComputedStyle(element).color);
  return new three.MeshBasicMaterial({ color: ink, wireframe: true, transparent: true, opacity: 0.45 });
};
const updateMode = () => {
  for (const button of element.querySelectorAll('.modes button')) {
    button.setAttribute('aria-pressed', button.value === mode);
  }
  if (!shown) return;
  [shown.mesh.material].flat().forEach((used) => used.dispose());
  shown.mesh.material = shown.materials.map(material);
  if (SHADED.has(mode)) updateNormals();
  updateLight();
};
const dispose = () => {
  if (!shown) return;
  scene.remove(shown.root);
  shown.mesh.geometry.dispose();
  shown.materials.forEach((own) => { own.map?.dispose(); own.dispose(); });
  shown = mixer = clip = null;
};
const show = (gltf) => {
  const before = shown?.surface, parts = [];
  dispose();
  gltf.scene.traverse((part) => { if (part.isMesh) parts.push(part); });
  const mesh = joined(parts);
  shown = { root: gltf.scene, mesh, materials: mesh.material, surface: props.model.surface,
            first: mesh.morphTargetInfluences && firstAtPlace(mesh.geometry.attributes.position.array),
            own: [...(mesh.morphTargetInfluences ?? [])] };
  mesh.material = mesh.material.map(() => new three.MeshBasicMaterial());
  scene.add(shown.root);
  if (gltf.animations.length) {
    const [film] = gltf.animations, ofParts = ({ name }) => name.endsWith('.morphTargetInfluences');
    film.tracks = film.tracks.filter((track) => !ofParts(track) || track.name.startsWith(`${mesh.name}.`));
    mixer = new three.AnimationMixer(shown.root);
    clip = mixer.clipAction(film);
    clip.play().paused = true;
  }
  find('.play').hidden = !clip;
  makeSliders();
  if (before !== shown.surface) front();
  updateMode();
};
const front = () => {
  const box = new three.Box3().setFromObject(shown.root), size = box.getSize(new three.Vector3());
  const isHead = shown.surface === 'head', extent = isHead ? HEAD * size.y : Math.max(size.x, size.y);
  const middle = box.getCenter(controls.target);
  if (isHead) middle.y = box.max.y - extent / 2;  // the shoulders may end at the frame
  const away = extent / (2 * FILL * Math.tan(FIELD_OF_VIEW * Math.PI / 360)) + size.z / 4;
  camera.position.set(middle.x, middle.y, middle.z + away);
  controls.minDistance = away / 6;
  controls.maxDistance = away * 2;
  redraw();
};

// --- Expression ----------------------------------------------------------------------------------------------------
const plain = (name) => name.replace(/_[LR]$/, '');
const targets = () => Object.entries(shown.mesh.morphTargetDictionary ?? {});
const makeSliders = () => {
  const names = [...new Set(targets().map(([name]) => plain(name)))];
  find('.expression').hidden = !names.length;
  find('.sliders').replaceChildren(...names.map((name) => {
    const label = document.createElement('label');
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
    label.innerHTML = '<span></span><input type="range" min="0" max="1" step="0.01"><output></output>';
    label.firstChild.textContent = words[0].toUpperCase() + words.slice(1);
    label.children[1].name = name;
    return label;
  }));
  shownWeights();
};
// A slider moves both sides alike, and shows their mean.
const shownWeights = () => {
  for (const input of element.querySelectorAll('.sliders input')) {
    const sides = targets().filter(([name]) => plain(name) === input.name)
      .map(([, k]) => shown.mesh.morphTargetInfluences[k]);
    input.value = sides.reduce((total, side) => total + side, 0) / sides.length;
    input.nextSibling.value = (+input.value).toFixed(2);
  }
  if (SHADED.has(mode)) updateNormals();
  redraw();
};
const setWeights = (value) => {
  if (!shown) return;
  targets().forEach(([name, k]) => { shown.mesh.morphTargetInfluences[k] = value(name, k); });
  shownWeights();
};

// --- Loading -------------------------------------------------------------------------------------------------------
const start = async () => {
  three = await import(new URL(stage.dataset.library, document.baseURI));
  renderer = new three.WebGLRenderer({ canvas, antialias: true, alpha: true });
  scene = new three.Scene();
  camera = new three.PerspectiveCamera(FIELD_OF_VIEW, 1, 0.02, 10);
  controls = new three.OrbitControls(camera, canvas);
  Object.assign(controls, { enablePan: false, enableDamping: false, autoRotateSpeed: 8 });
  controls.addEventListener('change', redraw);
  ambient = new three.AmbientLight();
  lamp = new three.DirectionalLight();
  scene.add(ambient, lamp);
  updateLight();
  resize();
};
let starting = null;
const ask = () => {
  const wanted = `${props.face} ${find('.surface').value}`;
  if (!seen || !props.face || asked === wanted) return;
  asked = wanted;
  note.textContent = 'Loading …';
  starting ??= start().catch((error) => {
    note.textContent = 'The 3-D view needs WebGL, which this browser does not offer.';
    throw error;
  });
  send('fetch', { face: props.face, surface: find('.surface').value });
};
watch('face', ask);
watch('light', updateLight);
watch('model', async () => {
  const { model } = props;
  if (!model || model.face !== props.face) return;
  try {
    await starting;
    const gltf = await new three.GLTFLoader().loadAsync(new URL(model.url, document.baseURI).href);
    if (model !== props.model) return;  // another one was asked for meanwhile
    show(gltf);
    note.textContent = model.note;
    canvas.dataset.shown = `${model.face} ${model.surface}`;
  } catch (error) {
    if (renderer) note.textContent = 'The surface could not be loaded. Choose the photo again.';
    console.warn(error);
  }
});
new IntersectionObserver(([entry]) => { seen = entry.isIntersecting; ask(); redraw(); }).observe(stage);
new ResizeObserver(resize).observe(stage);

// --- Controls ------------------------------------------------------------------------------------------------------
element.addEventListener('click', ({ target }) => {
  if (target.closest('.modes button')) { mode = target.value; updateMode(); }
  if (!shown) return;
  if (target.matches('.front')) front();
  if (target.matches('.own')) setWeights((name, k) => shown.own[k]);
  if (target.matches('.neutral')) setWeights(() => 0);
  if (target.matches('.play')) {
    clip.paused = !clip.paused;
    target.textContent = clip.paused ? 'Play' : 'Pause';
    redraw();
  }
});
element.addEventListener('input', ({ target }) => {
  if (target.closest('.sliders')) {
    const { name, value } = target;
    setWeights((morph, k) => plain(morph) === name ? +value : shown.mesh.morphTargetInfluences[k]);
  }
  if (target.matches('.surface')) ask();
  redraw();
});
canvas.addEventListener('keydown', (event) => {
  const turn = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!turn || !controls) return;
  event.preventDefault();
  const offset = camera.position.clone().sub(controls.target), length = offset.length();
  const across = Math.atan2(offset.x, offset.z) + turn[0] * STEP;
  const above = Math.max(-1.4, Math.min(1.4, Math.asin(offset.y / length) - turn[1] * STEP));
  offset.set(Math.sin(across) * Math.cos(above), Math.sin(above), Math.cos(across) * Math.cos(above));
  camera.position.copy(controls.target).addScaledVector(offset, length);
  redraw();
});
document.addEventListener('input', ({ target }) => {
  if (target.closest('#across, #above, #ambient, #diffuse')) updateLight();
});
updateMode();
new MutationObserver(updateMode).observe(document.body, { attributeFilter: ['class'] });  // the theme's ink
