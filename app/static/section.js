// Folds the column after the header, whose sliders stay in the page: dragging the render moves them too.
const fold = element.querySelector('.fold');
const show = (open) => {
  fold.setAttribute('aria-expanded', open);
  document.getElementById(props.folds)?.classList.toggle('folded', !open);
};
fold.addEventListener('click', () => show(fold.getAttribute('aria-expanded') !== 'true'));
element.querySelector('.reset')?.addEventListener('click', () => send('reset', { part: props.part }));
requestAnimationFrame(() => show(fold.getAttribute('aria-expanded') === 'true'));
