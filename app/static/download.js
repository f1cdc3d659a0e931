// Save a file under a name, through the browser's download.
const download = (href, name) => Object.assign(document.createElement('a'), { href, download: name }).click();
