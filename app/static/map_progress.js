// While a folder is being sent, gradio says nothing; what it refuses at once, it says itself.
const LARGEST = 20 * 2 ** 20;
let cancelled = false;
document.addEventListener('change', ({ target }) => {
  if (!target.webkitdirectory) return;
  cancelled = false;
  const photos = [...target.files].filter((file) => file.type.startsWith('image/'));
  if (photos.length && photos.every((file) => file.size <= LARGEST))
    props.value = `<p>Sending ${photos.length} photos …</p>`;
});
// Word of the work may come after the answer that ends it.
document.addEventListener('click', ({ target }) => { if (target.closest('#map-cancel')) cancelled = true; });
watch('value', () => { if (cancelled && props.value) props.value = ''; });
