/** Finding columns by name. */
import { ParallaxError } from "../protocol/errors.ts";

/** Places of the wanted columns. @throws {ParallaxError} table.missing-column */
export function placesOf(columns: readonly string[], wanted: readonly string[], name: string): number[] {
  return wanted.map((column) => {
    const at = columns.indexOf(column);
    if (at < 0)
      throw new ParallaxError(
        "table.missing-column",
        `${name} has no column "${column}"; it has ${columns.map((known) => `"${known}"`).join(", ")}.`,
        { hint: "Name one of its columns.", details: { column, columns } },
      );
    return at;
  });
}
