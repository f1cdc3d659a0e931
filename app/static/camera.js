// While the camera runs, its pictures are looked at one after the other; the next one is always on its way already.
// Stopping it or leaving the tab turns the camera off.
const WIDTH = 480;  // enough for the model, and quick to send
const AHEAD = 2;  // pictures that are on their way, or looked at
const [button, keep] = element.querySelectorAll('button');
const video = element.querySelector('video');
const picture = (width) => {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = Math.round(width * video.videoHeight / video.videoWidth);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/jpeg', 0.85);
};
let sent = 0;
const look = () => {
  element.querySelector('output').textContent = props.said;
  if (document.querySelector('dialog[open]')) { setTimeout(look, 200); return; }  // somebody takes a closer look
  if (video.srcObject && !element.offsetParent) stop();
  while (video.srcObject && sent - props.count < AHEAD) trigger('look', { picture: picture(WIDTH), number: ++sent });
};
const stop = () => {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  video.hidden = keep.hidden = true;
  button.setAttribute('aria-pressed', 'false');
  button.textContent = 'Live camera';
  element.querySelector('output').textContent = '';
};
button.addEventListener('click', async () => {
  if (video.srcObject) { stop(); return; }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch {
    element.querySelector('output').textContent = 'The browser gives no camera: allow it for this page.';
    return;
  }
  await video.play();
  video.hidden = keep.hidden = false;
  button.setAttribute('aria-pressed', 'true');
  button.textContent = 'Stop camera';
  look();
});
keep.addEventListener('click', () => { trigger('keep', { picture: picture(video.videoWidth) }); stop(); });
watch('count', look);
