/**
 * One file stream's socket as a job sees it: frames in order, and a wait until there is something new.
 */
import { encodeStreamMessage } from '../protocol/codec';
import { closeError, HubError } from '../protocol/errors';
import { FILE_STREAM_SUBPROTOCOL, STREAM_PING_MS } from '../protocol/generated';
import { ITransport, ITransportEvents } from './webSocket';

/** Opens a socket to an address. */
export type OpenSocket = (
  url: string,
  subprotocol: string,
  events: ITransportEvents
) => ITransport;

/** How often is looked whether something is to be said, or nothing is heard. */
const TICK_MS = 5000;
/** A server that says nothing for so many looks is gone. Looks are counted: while a machine sleeps none is missed. */
const SILENT_TICKS = 12;
const LOST = 'The connection was lost.';

export class StreamLine {
  constructor(open: OpenSocket, url: string, onOpen: () => void) {
    this._transport = open(url, FILE_STREAM_SUBPROTOCOL, {
      onOpen: () => {
        this._opened = true;
        onOpen();
        this._wake();
      },
      onMessage: data => {
        this._ticks = 0;
        this._frames.push(data);
        this._wake();
      },
      onClose: (code, reason) => this._over(code, reason)
    });
    this._timer = setInterval(() => this._tick(), TICK_MS);
  }

  /** Whether it has ever been open. */
  get wasOpened(): boolean {
    return this._opened;
  }

  /** Why it is over; null while it is not. */
  get error(): HubError | null {
    return this._error;
  }

  /** Whether this side has closed it. */
  get isGivenUp(): boolean {
    return this._givenUp;
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    return this._transport.bufferedAmount;
  }

  /** Resolves when it is open; rejects when it never will be. */
  async ready(): Promise<void> {
    while (!this._opened) {
      if (this._error) {
        throw this._error;
      }
      await this.news();
    }
  }

  /** Send a frame; on a line that is over it is lost, as on its way. */
  send(frame: string | Uint8Array): void {
    if (!this._error) {
      this._said = true;
      this._transport.send(frame);
    }
  }

  /** The next frame that has come, in order. */
  take(): string | ArrayBuffer | undefined {
    if (this._at === this._frames.length) {
      this._frames = [];
      this._at = 0;
      return undefined;
    }
    const frame = this._frames[this._at];
    this._frames[this._at++] = '';
    return frame;
  }

  /** Wait until a frame has come, the line is over, or so many milliseconds have passed. */
  news(ms?: number): Promise<void> {
    if (this._error || this._at < this._frames.length) {
      return Promise.resolve();
    }
    return new Promise(resolve => {
      const timer = ms === undefined ? null : setTimeout(() => done(), ms);
      const done = () => {
        if (timer !== null) {
          clearTimeout(timer);
        }
        resolve();
      };
      this._waiting.push(done);
    });
  }

  /** Close it. */
  close(error: HubError): void {
    this._givenUp = true;
    if (!this._error) {
      this._finish(error);
      this._transport.close(1000, '');
    }
  }

  private _tick(): void {
    this._ticks += 1;
    if (this._ticks > SILENT_TICKS) {
      this.close(
        HubError.of('heartbeat_timeout', 'The server does not answer.')
      );
    } else if (this._said) {
      this._said = false;
      this._quietMs = 0;
    } else {
      this._quietMs += TICK_MS;
      if (this._opened && this._quietMs >= STREAM_PING_MS - TICK_MS) {
        this.send(encodeStreamMessage({ type: 'ping' }));
      }
    }
  }

  private _over(code: number, reason: string): void {
    // 1000 without `done` is no end of a transfer.
    const lost = code === 1000 || code === 1006;
    this._finish(
      lost
        ? HubError.of('unavailable', reason || LOST)
        : closeError(code, reason || LOST)
    );
  }

  private _finish(error: HubError): void {
    if (!this._error) {
      this._error = error;
      clearInterval(this._timer);
      this._wake();
    }
  }

  private _wake(): void {
    const waiting = this._waiting;
    this._waiting = [];
    waiting.forEach(done => done());
  }

  private readonly _transport: ITransport;
  private readonly _timer: ReturnType<typeof setInterval>;
  private _frames: Array<string | ArrayBuffer> = [];
  private _at = 0;
  private _waiting: Array<() => void> = [];
  private _error: HubError | null = null;
  private _opened = false;
  private _givenUp = false;
  private _said = false;
  private _quietMs = 0;
  private _ticks = 0;
}

/** Gives the text frames to a machine until none is left; binary ones have no place there. */
export function takeTexts(
  line: StreamLine,
  machine: { take(text: string): void }
): void {
  for (let frame = line.take(); frame !== undefined; frame = line.take()) {
    if (typeof frame !== 'string') {
      throw HubError.of('bad_frame', 'The server sent data to an upload.');
    }
    machine.take(frame);
  }
}
