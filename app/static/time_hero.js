// The face that follows a film or the camera. While the camera runs, its frames are analyzed one after the other; the
// next ones are always sent ahead. Stopping it, leaving the tab, or another face on the page turns it off.
const WIDTH = 320;  // enough for the model, and fast to send
const AHEAD = 2;  // frames that are sent and not yet answered
const [face, driver] = element.querySelectorAll('img');
const video = element.querySelector('video'), output = element.querySelector('output');
const button = (name) => element.querySelector(`button.${name}`);
let waiting = [], begin = 0, recording = false;
const show = () => {
  face.src = props.value;
  driver.hidden = !props.driver || !video.hidden;
  if (props.driver) driver.src = props.driver;
};
const canvas = document.createElement('canvas');
const frame = () => {
  canvas.width = WIDTH;
  canvas.height = Math.round(WIDTH * video.videoHeight / video.videoWidth);
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/jpeg', 0.85);
};
const sendFrames = () => {
  if (!video.srcObject) return;
  if (!element.offsetParent) { stop(); return; }
  while (waiting.length < AHEAD) {
    const second = Math.max((performance.now() - begin) / 1000, (waiting.at(-1) ?? 0) + 0.001);
    waiting.push(second);
    trigger('frame', { frame: frame(), second });
    if (waiting.length < AHEAD) { setTimeout(sendFrames, 40); return; }  // two frames at once would be the same
  }
};
const live = (on) => {
  video.hidden = button('neutral').hidden = button('record').hidden = !on;
  button('camera').setAttribute('aria-pressed', on);
  button('camera').textContent = on ? 'Stop camera' : 'Live camera';
  output.textContent = '';
  show();
};
const record = (on) => {
  recording = on;
  button('record').setAttribute('aria-pressed', on);
  button('record').textContent = on ? 'Stop and save' : 'Record';
  send('record', { on });
};
const stop = () => {
  if (!video.srcObject) return;
  if (recording) record(false);
  video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  live(false);
  trigger('stopped');
};
button('camera').addEventListener('click', async () => {
  if (video.srcObject) { stop(); return; }
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch {
    output.textContent = 'The browser does not allow the camera. Allow it for this page.';
    return;
  }
  await video.play();
  live(true);
  output.textContent = 'Look straight ahead: the first frame is the neutral one.';
  trigger('start');
});
button('neutral').addEventListener('click', () => trigger('neutral'));
button('record').addEventListener('click', () => record(!recording));
button('snapshot').addEventListener('click', () => send('snapshot', { live: Boolean(video.srcObject) }));
watch('ready', () => { waiting = []; begin = performance.now(); sendFrames(); });
watch('second', () => {
  waiting = waiting.filter((second) => second > props.second);
  element.dataset.latency = Math.round(performance.now() - begin - 1000 * props.second);  // milliseconds
  output.textContent = props.message;
  sendFrames();
});
watch('value', show);
watch('driver', show);
watch('message', () => { output.textContent = props.message; });
watch('face', stop);
watch('saved', () => download(props.saved, 'latentface.png'));
show();
