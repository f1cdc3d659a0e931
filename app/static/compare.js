// Dragging anywhere on the picture, or the arrow keys, moves the border between the two.
element.addEventListener('input', (event) => element.style.setProperty('--wipe', `${event.target.value}%`));
