// On a first visit the face turns under a moving light, from frames that the server drew once, until it is touched.
const SECONDS = 5;
const canvas = element.querySelector('.tour');
let touched = false;
let asked = false;
const touch = () => {
  touched = true;
  element.classList.remove('touring');
  element.classList.add('touched');
};
['pointerdown', 'wheel', 'keydown'].forEach((name) => document.addEventListener(name, touch, { passive: true }));
document.addEventListener('input', touch);
document.addEventListener('enlarge', touch);
watch('unsettled', () => {
  if (asked || touched || matchMedia('(prefers-reduced-motion)').matches) return;
  asked = true;
  trigger('tour');
});
watch('frames', async () => {
  if (touched || !props.frames.length) return;
  const images = await Promise.all(props.frames.map(async (url) => {
    const image = Object.assign(new Image(), { src: url });
    await image.decode();
    return image;
  }));
  canvas.width = canvas.height = images[0].width;
  const pen = canvas.getContext('2d');
  const begin = performance.now();
  const play = (now) => {
    if (touched) return;
    pen.drawImage(images[Math.floor(Math.max(0, now - begin) / 1000 / SECONDS * images.length) % images.length], 0, 0);
    element.classList.add('touring');
    requestAnimationFrame(play);
  };
  requestAnimationFrame(play);
});
