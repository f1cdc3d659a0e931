// A click on a tile enlarges it.
element.addEventListener('click', (event) => {
  const tile = event.target.closest('.tile');
  const dialog = element.querySelector('dialog');
  if (event.target === dialog) dialog.close();
  if (!tile || !event.target.closest('button')) return;
  const picture = tile.querySelector('img');
  dialog.querySelector('img').src = picture.src;
  dialog.querySelector('img').alt = picture.alt;
  dialog.querySelector('h3').textContent = tile.querySelector('b').textContent;
  dialog.querySelector('p').textContent = tile.querySelector('button').title;
  dialog.querySelector('.scale').innerHTML = tile.querySelector('.scale').innerHTML;
  dialog.showModal();
});
