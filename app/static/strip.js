// A click on something with an index selects it.
element.addEventListener('click', (event) => {
  const choice = event.target.closest('[data-index]');
  if (choice && choice.dataset.index) tell('select', { index: +choice.dataset.index });
});
