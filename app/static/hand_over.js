// A file goes to the visitor under a name.
const handOver = (href, download) => Object.assign(document.createElement('a'), { href, download }).click();
