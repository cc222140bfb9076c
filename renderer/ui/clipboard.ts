/** Clipboard and downloads. */

export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard?.writeText) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Pages served over plain http from another host have no clipboard object.
  const area = document.createElement("textarea");
  area.value = text;
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  const before = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus();
  if (!copied) throw new Error("the browser refused access to the clipboard");
}

export async function copyBlob(blob: Blob): Promise<void> {
  if (!navigator.clipboard?.write || typeof ClipboardItem === "undefined")
    throw new Error("this browser copies pictures on secure pages only; use Save as PNG");
  await navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
}

export function saveBlob(blob: Blob, fileName: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName.replace(/[^\p{L}\p{N}._ -]+/gu, "-");
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Shows a text in a browser tab of its own; saves it where tabs are not allowed (the desktop window). */
export function openText(text: string, name: string): void {
  const blob = new Blob([text], { type: "text/plain;charset=utf-8" });
  const url = URL.createObjectURL(blob);
  const opened = window.open(url, "_blank", "noopener=no");
  if (opened === null) saveBlob(blob, `${name}.txt`);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
