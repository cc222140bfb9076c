/** When two texts are the same text for training. */

/** Printable ASCII without a space at an end or two in a row: only its case can differ from its key. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/;

/** How texts are compared: an encoder that ignores case and extra space sees these as one. */
export function textKey(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  return text.normalize("NFC").toLowerCase().replace(/\s+/g, " ").trim();
}
