/** Cell ids as nbformat 4.5 wants them: 1 to 64 letters, digits, "-" and "_", unique within a notebook. */

const VALID = /^[a-zA-Z0-9_-]{1,64}$/;

export function isValidCellId(value: unknown): value is string {
  return typeof value === "string" && VALID.test(value);
}

/**
 * A new random id: 12 hexadecimal digits (48 bits), so that two cells made by two pages at once do not meet.
 * Not a secret, hence no cryptographic source.
 */
export function newCellId(): string {
  let id = "";
  for (let i = 0; i < 3; i++)
    id += Math.floor(Math.random() * 0x10000)
      .toString(16)
      .padStart(4, "0");
  return id;
}

/** The id that a cell without a usable one gets in memory: the same each time the same file is read. */
export function placeholderId(index: number, taken: ReadonlySet<string>): string {
  let id = `cell-${index + 1}`;
  for (let n = 2; taken.has(id); n++) id = `cell-${index + 1}-${n}`;
  return id;
}
