// While the camera runs, its frames are analyzed one after the other; the next frame is always sent ahead.
// Meanwhile the page hides what belongs to its own face. Stopping the camera, or using any other part of the page, turns
// it off and shows the page's face again.
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
const live = (on) => {
  video.hidden = keep.hidden = !on;
  button.setAttribute('aria-pressed', on);
  button.textContent = on ? 'Stop camera' : 'Live camera';
  document.body.classList.toggle('live', on);
  document.dispatchEvent(new CustomEvent('enlarge-tile', { detail: on ? 'reconstruction' : null }));
};
const sendFrames = () => {
  element.querySelector('output').textContent = props.message;
  if (!video.srcObject) return;
  if (!element.offsetParent) stop();
  while (video.srcObject && sent - props.count < AHEAD) trigger('frame', { frame: frame(WIDTH), number: ++sent });
};
const stop = () => {
  if (!video.srcObject) return;
  video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  live(false);
  element.querySelector('output').textContent = '';
  trigger('stopped');
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
  live(true);
  sendFrames();
});
keep.addEventListener('click', () => { trigger('keep', { frame: frame(video.videoWidth) }); stop(); });
// A frame that is answered after the stop has replaced the page's face once more.
watch('count', () => { if (video.srcObject) sendFrames(); else trigger('stopped'); });
watch('face', stop);
document.addEventListener('click', ({ target }) => {
  if (!target.closest('#camera, #equation, #enlarged') && target.closest('button, a, input, label, summary, #photo')) stop();
}, true);
