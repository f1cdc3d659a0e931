// Browsers give files no type where they cannot show them. Gradio takes only files of an image type, so photos that
// core reads get theirs by the ends of their names, whether they are chosen or dropped.
const TYPES = {heic: 'image/heic', heif: 'image/heif', hif: 'image/heif', tga: 'image/x-tga', jp2: 'image/jp2',
  j2k: 'image/jp2', jpx: 'image/jpx', jpf: 'image/jpx', tif: 'image/tiff', tiff: 'image/tiff',
  ppm: 'image/x-portable-pixmap', pgm: 'image/x-portable-graymap', pnm: 'image/x-portable-anymap'};
const typed = (file) => {
  const type = file.type || TYPES[file.name.split('.').pop().toLowerCase()] || '';
  return type === file.type ? file : new File([file], file.name, {type, lastModified: file.lastModified});
};
// The files with types, or null where none lacked one.
const allTyped = (files) => {
  const transfer = new DataTransfer(), before = [...files], after = before.map(typed);
  after.forEach((file) => transfer.items.add(file));
  return after.every((file, index) => file === before[index]) ? null : transfer;
};
const takesPhotos = (input) => input.type === 'file' && input.accept.includes('image/*');
// On the window: before the scripts that listen on the document.
window.addEventListener('click', ({target}) => {  // the dialog would hide these photos
  if (takesPhotos(target) && !target.accept.includes('.heic'))
    target.accept += Object.keys(TYPES).map((end) => `, .${end}`).join('');
}, true);
window.addEventListener('change', ({target}) => {
  const transfer = takesPhotos(target) && allTyped(target.files);
  if (transfer) target.files = transfer.files;
}, true);
window.addEventListener('drop', (event) => {
  const transfer = event.dataTransfer && allTyped(event.dataTransfer.files);
  if (!transfer) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  event.target.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
}, true);
