/**
 * Hands a file to the person.
 *
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the address a moment later.
  setTimeout(() => URL.revokeObjectURL(address), RELEASE_MILLISECONDS);
}

const RELEASE_MILLISECONDS = 10_000;
