/** What one row of training data holds; what a loss reads of it is in LOSS_NEEDS. */
export interface TrainingRow {
  anchor: string;
  /** The text that belongs to the anchor; for scored pairs the other text, whatever its score. */
  positive: string;
  /** Texts that do not belong to the anchor though they look like it (hard negatives). */
  negatives?: string[] | undefined;
  /**
   * One number for scored pairs (0 to 1); or what a teacher gave the positive and then each negative, on the scale of
   * the teacher.
   */
  scores?: number[] | undefined;
  /**
   * What the row is about (a class, a document). Two rows of one group never share a batch, because each would be a
   * false negative of the other.
   */
  group?: string | undefined;
  /** The data set or task that the row comes from; with `tasks.apart` a batch holds rows of one task. */
  task?: string | undefined;
  /** Instructions of this row, in place of the run's prompts: templates with {text}, or prefixes (MEDI). */
  instructions?:
    | { anchor?: string | undefined; positive?: string | undefined; negative?: string | undefined }
    | undefined;
}
