// While the camera runs, its frames are analyzed one after the other; the next frame is always sent ahead.
// Stopping it or leaving the tab turns the camera off.
const WIDTH = 480;  // enough for the model, and fast to send
const AHEAD = 2;  // frames that are sent and not yet analyzed
const [button, keep] = element.querySelectorAll('button');
const video = element.querySelector('video');
const frame = (width) => {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = Math.round(width * video.videoHeight / video.videoWidth);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/jpeg', 0.85);
};
let sent = 0;
const sendFrames = () => {
  element.querySelector('output').textContent = props.message;
  if (document.querySelector('dialog[open]')) { setTimeout(sendFrames, 200); return; }  // a tile is enlarged
  if (video.srcObject && !element.offsetParent) stop();
  while (video.srcObject && sent - props.count < AHEAD) trigger('frame', { frame: frame(WIDTH), number: ++sent });
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
    element.querySelector('output').textContent = 'The browser does not allow the camera. Allow it for this page.';
    return;
  }
  await video.play();
  video.hidden = keep.hidden = false;
  button.setAttribute('aria-pressed', 'true');
  button.textContent = 'Stop camera';
  sendFrames();
});
keep.addEventListener('click', () => { trigger('keep', { frame: frame(video.videoWidth) }); stop(); });
watch('count', sendFrames);
