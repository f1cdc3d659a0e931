// Gradio shows no message while a folder is uploaded. It reports files that it refuses itself.
const LARGEST = 64 * 2 ** 20;
let cancelled = false;
document.addEventListener('change', ({ target }) => {
  if (!target.webkitdirectory) return;
  cancelled = false;
  const files = [...target.files], photos = files.filter((file) => file.type.startsWith('image/'));
  if (photos.length) {  // leave other files out: gradio would report them as an error
    const kept = new DataTransfer();
    photos.forEach((photo) => kept.items.add(photo));
    target.files = kept.files;
  }
  if (photos.length && photos.every((file) => file.size <= LARGEST))
    props.value = `<p>Uploading ${photos.length} of ${files.length} files …</p>`;
}, true);
// A progress message may arrive after the answer to Cancel.
document.addEventListener('click', ({ target }) => { if (target.closest('#map-cancel')) cancelled = true; });
watch('value', () => { if (cancelled && props.value) props.value = ''; });
