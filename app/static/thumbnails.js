// A click on an element with an index selects it.
element.addEventListener('click', (event) => {
  const choice = event.target.closest('[data-index]');
  if (choice && choice.dataset.index) send('select', { index: +choice.dataset.index });
});
