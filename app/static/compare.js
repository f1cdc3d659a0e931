// Dragging anywhere on the image, or the arrow keys, moves the wipe.
element.addEventListener('input', (event) => element.style.setProperty('--wipe', `${event.target.value}%`));
