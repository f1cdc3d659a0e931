// While a folder is being sent, gradio says nothing; what it refuses at once, it says itself.
const LARGEST = 20 * 2 ** 20;
document.addEventListener('change', ({ target }) => {
  if (!target.webkitdirectory) return;
  const photos = [...target.files].filter((file) => file.type.startsWith('image/'));
  if (photos.length && photos.every((file) => file.size <= LARGEST))
    props.value = `<p>Sending ${photos.length} photos …</p>`;
});
