/**
 * Whether the server is still there: it is asked now and then, and after a silence that this tab did not sleep through
 * itself it counts as gone.
 */
import { Heartbeat as Times } from '../protocol/generated';

const CHECK_MS = 1000;
const PING_MS = 15_000;
const PROBE_MS = 3000;
/** How long the server may take to say welcome. */
const GREETING_MS = 15_000;
/** Checks that come this late mean that this tab was asleep, not that the server is gone. */
const ASLEEP_MS = 5000;
/** A probe whose end comes this late was not listened to: its answer may lie in the browser. */
const LATE_MS = 1000;

/** What the heartbeat needs of its connection. */
export interface IHeartbeatOwner {
  /** `greeting`: hello was said, and the server has not answered yet. */
  readonly phase: 'away' | 'greeting' | 'open';
  /** The times that the server has named. */
  readonly times: Times | null;
  ping(t: number): void;
  /** The server does not answer. */
  gone(reason: string): void;
}

export class Heartbeat {
  constructor(
    private readonly _owner: IHeartbeatOwner,
    private readonly _now: () => number
  ) {}

  /** Begin to check. */
  start(): void {
    this._checkedMs = this._now();
    this._checker = setInterval(() => this._check(), CHECK_MS);
  }

  /** Check no more. */
  stop(): void {
    if (this._checker !== null) {
      clearInterval(this._checker);
    }
    if (this._prober !== null) {
      clearTimeout(this._prober);
    }
    this._checker = this._prober = null;
  }

  /** Something has come from the server. */
  hear(): void {
    this._heardMs = this._now();
    this._heardCount += 1;
  }

  /** Ask the server; its answer is not waited for. */
  ping(): void {
    this._pingedMs = this._now();
    this._owner.ping(this._pingedMs);
  }

  /** Ask the server; without an answer soon it is gone. */
  probe(): void {
    if (this._owner.phase === 'open' && this._prober === null) {
      this.ping();
      this._listen(this._heardCount, true);
    }
  }

  /** Wait for an answer; once more if this tab was kept from hearing it. */
  private _listen(heard: number, again: boolean): void {
    const beganMs = this._now();
    this._prober = setTimeout(() => {
      this._prober = null;
      if (this._heardCount !== heard || this._owner.phase !== 'open') {
        return;
      }
      const passed = this._now() - beganMs;
      if (again && Math.abs(passed - PROBE_MS) > LATE_MS) {
        this._listen(heard, false);
      } else {
        this._owner.gone('The server does not answer.');
      }
    }, PROBE_MS);
  }

  private _check(): void {
    const now = this._now();
    const passed = now - this._checkedMs;
    const asleep = passed > ASLEEP_MS || passed < 0;
    this._checkedMs = now;
    if (asleep) {
      this._heardMs = now;
      this.probe();
      return;
    }
    const { phase, times } = this._owner;
    const silence = now - this._heardMs;
    if (phase === 'greeting' && silence > GREETING_MS) {
      this._owner.gone('The server says nothing.');
    } else if (phase === 'open') {
      if (times && silence > times.interval_ms + times.grace_ms) {
        this._owner.gone('Nothing was heard from the server.');
      } else if (now - this._pingedMs >= PING_MS) {
        this.ping();
      }
    }
  }

  private _checker: ReturnType<typeof setInterval> | null = null;
  private _prober: ReturnType<typeof setTimeout> | null = null;
  private _heardMs = 0;
  private _heardCount = 0;
  private _pingedMs = 0;
  private _checkedMs = 0;
}
