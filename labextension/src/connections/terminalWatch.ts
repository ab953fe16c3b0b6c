/**
 * Whether a terminal's connection is alive: it is asked every five seconds while the page is visible, and what is typed
 * must be acknowledged soon.
 */

/** What the watch needs. */
export interface IWatchOwner {
  /** The connection seems to be dead. */
  suspect(reason: string): void;
  /** It is alive after all. */
  trust(): void;
  ping(data: Uint8Array): void;
  /** A round trip took so many milliseconds. */
  roundTrip(ms: number): void;
}

const PING_MS = 5000;
const PONG_MS = 3000;
const INPUT_MS = 2000;
/** Where output flows, an acknowledgement may stand behind a window of it. */
const BUSY_INPUT_MS = 8000;
const BUSY_MS = 1000;
/** The server pings after 25 s of silence. */
const SILENCE_MS = 40_000;
const SILENT = 'The server does not answer.';

export class TerminalWatch {
  constructor(
    private readonly _owner: IWatchOwner,
    private readonly _now: () => number = Date.now
  ) {}

  /** A connection has begun. */
  start(): void {
    this.stop();
    this._heardMs = this._now();
    this._beat = setInterval(() => this._check(), PING_MS);
    if (this._isPageVisible) {
      this._ping();
    }
  }

  /** There is no connection. */
  stop(): void {
    clearInterval(this._beat);
    this._beat = undefined;
    clearTimeout(this._ponger);
    this._ponger = undefined;
    this._stopInput();
  }

  /** Something has come: the server is there. */
  hear(): void {
    this._heardMs = this._now();
    clearTimeout(this._ponger);
    this._ponger = undefined;
    if (!this._isLate) {
      this._owner.trust();
    }
  }

  /** A pong has come. */
  ponged(data: Uint8Array): void {
    const sent = new DataView(data.buffer, data.byteOffset).getFloat64(0);
    const passed = this._now() - sent;
    if (passed >= 0 && passed < PING_MS * 2) {
      this._owner.roundTrip(passed);
    }
  }

  /** Input was taken. */
  accepted(): void {
    this._stopInput();
    this._owner.trust();
  }

  /** Whether input was sent and is not acknowledged. */
  awaits(isAwaited: boolean): void {
    if (!isAwaited) {
      this._stopInput();
    } else if (
      this._beat !== undefined &&
      this._input === undefined &&
      !this._isLate
    ) {
      this._typedMs = this._now();
      this._input = setTimeout(() => this._inputDue(), INPUT_MS);
    }
  }

  /** Ask at once: the network may have changed. */
  probe(): void {
    if (this._beat !== undefined) {
      this._ping();
    }
  }

  private _inputDue(): void {
    const now = this._now();
    const isBusy = now - this._heardMs < BUSY_MS;
    if (isBusy && now - this._typedMs < BUSY_INPUT_MS) {
      this._input = setTimeout(() => this._inputDue(), BUSY_MS);
      return;
    }
    this._input = undefined;
    this._isLate = true;
    this._owner.suspect('What you type is not acknowledged.');
  }

  private _check(): void {
    if (this._isPageVisible) {
      this._ping();
    } else if (this._now() - this._heardMs > SILENCE_MS) {
      this._owner.suspect(SILENT);
    }
  }

  private _ping(): void {
    const data = new Uint8Array(8);
    new DataView(data.buffer).setFloat64(0, this._now());
    this._owner.ping(data);
    this._ponger ??= setTimeout(() => {
      this._ponger = undefined;
      this._owner.suspect(SILENT);
    }, PONG_MS);
  }

  private _stopInput(): void {
    clearTimeout(this._input);
    this._input = undefined;
    this._isLate = false;
  }

  private get _isPageVisible(): boolean {
    return document.visibilityState !== 'hidden';
  }

  private _beat: ReturnType<typeof setInterval> | undefined;
  private _ponger: ReturnType<typeof setTimeout> | undefined;
  private _input: ReturnType<typeof setTimeout> | undefined;
  private _typedMs = 0;
  private _heardMs = 0;
  /** Input was not acknowledged in time. */
  private _isLate = false;
}
