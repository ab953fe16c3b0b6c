/**
 * The last values of something that is plotted.
 */

/** How many values a plot shows. */
export const LENGTH = 60;

export class History {
  /** Oldest first; null where it was not known. */
  get values(): ReadonlyArray<number | null> {
    return this._values;
  }

  /** The newest one; null where it is not known. */
  get last(): number | null {
    return this._values[this._values.length - 1] ?? null;
  }

  push(value: number | null): void {
    this._values = [...this._values, value].slice(-LENGTH);
  }

  private _values: ReadonlyArray<number | null> = [];
}

/** The next of 1, 2, 5, 10, 20 … times `step`: a scale that does not change with every value. */
export function scaleFor(highest: number, step: number): number {
  if (!(highest > step)) {
    return step;
  }
  const power = 10 ** Math.floor(Math.log10(highest / step));
  const factor = [1, 2, 5].find(one => highest <= one * power * step) ?? 10;
  return factor * power * step;
}
