/**
 * Lets a few run at the same time; the others wait in order.
 */

/** A place among those that run, or in the queue for it. */
export interface ITicket {
  /** Resolves when it is this one's turn, or when the ticket was given back before. */
  readonly granted: Promise<void>;
  /** Give it back; once is enough. */
  giveBack(): void;
}

export class Turns {
  constructor(private readonly _atATime: number) {}

  take(): ITicket {
    let begin: () => void = () => undefined;
    const granted = new Promise<void>(resolve => (begin = resolve));
    this._queue.push(begin);
    this._next();
    return {
      granted,
      giveBack: () => {
        const at = this._queue.indexOf(begin);
        if (at >= 0) {
          this._queue.splice(at, 1);
          begin();
        } else if (this._running.delete(begin)) {
          this._next();
        }
      }
    };
  }

  private _next(): void {
    while (this._running.size < this._atATime) {
      const begin = this._queue.shift();
      if (!begin) {
        return;
      }
      this._running.add(begin);
      begin();
    }
  }

  private readonly _queue: Array<() => void> = [];
  private readonly _running = new Set<() => void>();
}
