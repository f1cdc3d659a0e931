// Gradio shows no message while a folder is uploaded. It reports files that it refuses itself.
const LARGEST = 20 * 2 ** 20;
let cancelled = false;
document.addEventListener('change', ({ target }) => {
  if (!target.webkitdirectory) return;
  cancelled = false;
  const photos = [...target.files].filter((file) => file.type.startsWith('image/'));
  if (photos.length && photos.every((file) => file.size <= LARGEST))
    props.value = `<p>Uploading ${photos.length} photos …</p>`;
});
// A progress message may arrive after the answer to Cancel.
document.addEventListener('click', ({ target }) => { if (target.closest('#map-cancel')) cancelled = true; });
watch('value', () => { if (cancelled && props.value) props.value = ''; });
