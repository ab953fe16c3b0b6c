/**
 * Something that is to happen once, after a while, unless it is called off.
 */
export class Alarm {
  /** Whether it is still to happen. */
  get isSet(): boolean {
    return this._timer !== null;
  }

  /** Let it happen after so many milliseconds, and not when it was set for before. */
  set(ms: number, ring: () => void): void {
    this.stop();
    this._timer = setTimeout(() => {
      this._timer = null;
      ring();
    }, ms);
  }

  /** Call it off. */
  stop(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
  }

  private _timer: ReturnType<typeof setTimeout> | null = null;
}
