/**
 * Keeps one connection alive: connects, waits, connects again, until it is closed or the server refuses for good.
 * What the frames mean is its owner's business; how it is stands in the status book.
 */
import { codeName, mayReconnect } from '../protocol/errors';
import { CODES } from '../protocol/generated';
import { Service } from '../tokens';
import { Alarm } from './alarm';
import { backoffMs, STABLE_MS } from './backoff';
import { StatusBook } from './status';
import { Ask, Connect, IAddress, ITransport } from './transport';

/** What the owner of a kept connection is told. */
export interface IKept {
  /** A socket is open; `again` says whether it is not the first one. True makes it count as connected at once. */
  opened(again: boolean): boolean;
  received(data: string | ArrayBuffer): void;
  /** The socket is gone; another one comes. */
  dropped(): void;
  /** It is over. */
  ended(code: number, reason: string): void;
}

/** Everything a connection needs. */
export interface IKeeperOptions {
  service: Service;
  id: string | null;
  path: readonly string[];
  address?: IAddress;
  subprotocol: string | null;
  connect: Connect;
  ask: Ask;
  book: StatusBook;
}

/** The pause while the server is starting. */
const WAIT_MS = 15_000;
/** The shortest pause in a tab that is hidden. */
const HIDDEN_MS = 30_000;
/** How long an attempt may take to open; browsers wait for minutes. */
const OPENING_MS = 20_000;
/** An attempt that has not opened after this long is begun anew by who is in a hurry: its network may be gone. */
const HURRIED_MS = 3000;

export class Keeper {
  constructor(
    private readonly _options: IKeeperOptions,
    private readonly _owner: IKept
  ) {
    this._begin();
  }

  /** Whether a socket is open and counts as connected. */
  get isConnected(): boolean {
    return this._connected;
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    return this._transport?.bufferedAmount ?? 0;
  }

  /** Send on the open socket; nothing happens without one. */
  send(data: string | ArrayBufferView | ArrayBufferLike): void {
    if (this._open) {
      this._transport?.send(data);
    }
  }

  /** The owner has seen that the protocol is going: the connection counts as connected. */
  confirm(): void {
    this._connected = true;
    this._attempts = 0;
    this._update({ state: 'connected', attempts: 0, lastError: null });
    this._stable.set(STABLE_MS, () => {
      this._attempt = 0;
    });
  }

  /** Take the place of the socket now: the peer does not answer any more, or the network is back. */
  reconnect(reason: string, retryAfterMs: number | null = null): void {
    if (!this._over) {
      this._retryAfterMs = retryAfterMs;
      this.drop(reason);
      if (retryAfterMs === null) {
        this.hurry();
      }
    }
  }

  /** Give up the socket, whose peer speaks another language; the next attempt comes after a pause. */
  drop(reason: string): void {
    if (!this._over) {
      this._transport?.close(CODES.heartbeat_timeout.number, reason);
    }
  }

  /** Connect at once if it is waiting for its next attempt, or for an answer to one that it has made for a while. */
  hurry(): void {
    if (this._next.isSet || this._asking !== null) {
      this._clear();
      this._begin();
    } else if (
      this._opening.isSet &&
      Math.abs(Date.now() - this._beganMs) > HURRIED_MS
    ) {
      this.reconnect('The server did not answer.');
    }
  }

  /** The peer has said that it is over: do not come back. */
  refuse(code: number, reason: string): void {
    if (!this._over) {
      this._clear();
      this._fail(code, reason);
      this._transport?.close();
    }
  }

  /** Close for good, on purpose. */
  close(code = 1000, reason = ''): void {
    if (this._over) {
      return;
    }
    this._over = true;
    this._clear();
    this._transport?.close(code, reason);
    this._options.book.remove(this._options.service, this._options.id);
  }

  private _begin(): void {
    this._asking = null;
    this._attempt += 1;
    this._attempts += 1;
    this._open = false;
    this._beganMs = Date.now();
    this._opening.set(OPENING_MS, () =>
      this.drop('The server did not answer.')
    );
    this._update({ state: this._goingState(), attempts: this._attempts });
    const transport: ITransport = this._options.connect(
      this._options.path,
      this._options.subprotocol,
      {
        onOpen: () => {
          this._opening.stop();
          this._open = true;
          const again = this._wasConnected;
          this._wasConnected = true;
          if (this._owner.opened(again)) {
            this.confirm();
          }
        },
        onMessage: data => this._owner.received(data),
        onClose: (code, reason, opened) => {
          if (!this._over) {
            this._closed(code, reason, opened);
          }
        }
      },
      this._options.address
    );
    this._transport = transport;
  }

  private _closed(code: number, reason: string, opened: boolean): void {
    this._clear();
    this._open = this._connected = false;
    this._transport = null;
    if (opened && code !== 1000 && !mayReconnect(code)) {
      this._fail(code, reason);
      return;
    }
    if (opened && code === 1000 && this._endsNormally) {
      this._finish(code, reason);
      return;
    }
    this._owner.dropped();
    const lastError = reason || 'The connection was lost.';
    this._update({ state: this._goingState(), lastError });
    if (!opened) {
      void this._askThenWait();
    } else {
      this._wait(this._retryAfterMs ?? backoffMs(this._attempt));
    }
    this._retryAfterMs = null;
  }

  private async _askThenWait(): Promise<void> {
    const asking = (this._asking = {});
    const verdict = await this._options.ask();
    if (this._over || this._asking !== asking) {
      return;
    }
    this._asking = null;
    if (verdict === 'unauthenticated') {
      this._fail(CODES.unauthenticated.number, NOT_LOGGED_IN);
    } else if (verdict === 'gone') {
      this._finish(1000, 'It is gone.');
    } else {
      const pause = backoffMs(this._attempt);
      this._wait(verdict === 'wait' ? Math.max(pause, WAIT_MS) : pause);
    }
  }

  /** A close with 1000 is the end, not a drop; set by owners whose protocol has an end. */
  endsNormally(): void {
    this._endsNormally = true;
  }

  /** A tab that nobody looks at is in no hurry; when it is shown again, it is hurried. */
  private _wait(pauseMs: number): void {
    const hidden =
      typeof document !== 'undefined' && document.visibilityState === 'hidden';
    const pause = hidden ? Math.max(pauseMs, HIDDEN_MS) : pauseMs;
    this._next.set(pause, () => this._begin());
  }

  private _finish(code: number, reason: string): void {
    this._over = true;
    this._options.book.remove(this._options.service, this._options.id);
    this._owner.ended(code, reason);
  }

  private _fail(code: number, reason: string): void {
    this._over = true;
    const lastError = closeReason(code, reason);
    this._update({ state: 'failed', lastError });
    this._owner.ended(code, lastError);
  }

  private _goingState(): 'connecting' | 'reconnecting' {
    return this._wasConnected ? 'reconnecting' : 'connecting';
  }

  private _update(change: Parameters<StatusBook['update']>[2]): void {
    this._options.book.update(this._options.service, this._options.id, change);
  }

  private _clear(): void {
    this._opening.stop();
    this._next.stop();
    this._stable.stop();
  }

  private _transport: ITransport | null = null;
  /** The next attempt. */
  private readonly _next = new Alarm();
  private readonly _stable = new Alarm();
  /** Set while an attempt has not opened. */
  private readonly _opening = new Alarm();
  private _beganMs = 0;
  /** The question to the server that is under way; what it answers counts only while nobody was faster. */
  private _asking: object | null = null;
  /** Attempts for the pauses: counted on while connections do not last. */
  private _attempt = 0;
  /** Attempts since it was connected, for the status. */
  private _attempts = 0;
  private _retryAfterMs: number | null = null;
  private _open = false;
  private _connected = false;
  private _wasConnected = false;
  private _over = false;
  private _endsNormally = false;
}

/** What is said where the server does not know the user. */
export const NOT_LOGGED_IN =
  'You are not logged in (any more). Log in again and reload the page.';

/** What is said of a close: the server's reason, else what the code means. */
export function closeReason(code: number, reason: string): string {
  const name = codeName(code);
  return reason || (name ? CODES[name].meaning : `code ${code}`);
}
