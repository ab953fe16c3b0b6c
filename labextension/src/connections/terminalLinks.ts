/**
 * The sockets of one terminal: the one that counts, and beside it the attempt to take its place. Attempts begin when the
 * socket closes or is suspected to be dead, come fast, and have no limit; the first frame of a newer socket ends the
 * older one. What the frames mean is the owner's business.
 */
import { HubError, mayReconnect } from '../protocol/errors';
import { CODES, TERMINAL_SUBPROTOCOL } from '../protocol/generated';
import { Alarm } from './alarm';
import { QUICK_ATTEMPTS, terminalBackoffMs } from './backoff';
import { closeReason, NOT_LOGGED_IN } from './keeper';
import { StatusChange } from './status';
import { ITerminalHolder, SERVICE } from './terminalMode';
import { Refusals } from './terminalRefusals';
import { ITransport } from './transport';

/** What the owner is asked and told. */
export interface ILinksOwner {
  /** What a connection that begins now tells in its address. */
  query(): Record<string, string>;
  /** The first frame of a connection: from now on it is the one that counts. */
  welcomed(frame: ArrayBuffer): void;
  received(frame: ArrayBuffer): void;
  /** The connection that counted is gone; another one comes. */
  dropped(): void;
  /** It is over. */
  ended(code: number, reason: string): void;
  /** It is over before it began: nobody there speaks this protocol. */
  foreign(): void;
}

/** An attempt that has no welcome after this long is given up: after a black hole the next one is faster. */
const ATTEMPT_MS = 2500;
/** One attempt in so many is given more time, for networks that are only slow. */
const PATIENT_EVERY = 8;
const PATIENT_MS = 10_000;
/** A connection that has lasted for so long was good: the next pauses begin anew. */
const STABLE_MS = 1000;
/** The pause while the server is starting. */
const WAIT_MS = 15_000;
/** In a tab that nobody looks at, attempts come so rarely after the first ones. */
const HIDDEN_MS = 30_000;
/** An attempt that was given up may reach the server so much later, and take the place of a newer one. */
const LATE_MS = 60_000;
/** What an attempt under way is worth when the network has come back. */
const HURRIED_MS = 300;
const ANSWERLESS = 'The server did not answer.';

interface ILink {
  readonly number: number;
  transport: ITransport | null;
  beganMs: number;
  isOpen: boolean;
  /** Nothing that comes from it counts any more. */
  isOver: boolean;
}

export class TerminalLinks {
  constructor(
    private readonly _holder: ITerminalHolder,
    private readonly _owner: ILinksOwner
  ) {
    this._refusals = new Refusals(_holder);
  }

  get bufferedAmount(): number {
    return this._current?.transport?.bufferedAmount ?? 0;
  }

  /** Whether there is a connection that counts. */
  get isLive(): boolean {
    return this._current !== null;
  }

  /** Begin with the first attempt. */
  start(): void {
    this._begin();
  }

  /** Send on the connection that counts; nothing happens without one. */
  send(frame: Uint8Array): void {
    this._current?.transport?.send(frame);
  }

  /** The connection that counts seems to be dead: try another one beside it. */
  suspect(reason: string): void {
    if (this._current && !this._isSuspect && !this._isOver) {
      this._isSuspect = true;
      this._update({ state: 'reconnecting', lastError: reason });
      this._schedule();
    }
  }

  /** The connection that counts is alive after all. */
  trust(): void {
    if (!this._isSuspect || !this._current) {
      return;
    }
    this._isSuspect = false;
    this._next.stop();
    if (this._attempt && !this._attempt.isOpen) {
      this._abandon(this._attempt);
    }
    // An attempt that is open has taken the older one's place at the server already.
    if (!this._attempt) {
      this._connected();
    }
  }

  /** The network is back, or somebody looks: do not wait. True: there is a connection that counts. */
  hurry(): boolean {
    if (this._isOver) {
      return false;
    }
    const attempt = this._attempt;
    if (attempt && Date.now() - attempt.beganMs > HURRIED_MS) {
      this._abandon(attempt);
      this._begin();
    } else if (this._next.isSet) {
      this._next.stop();
      this._begin();
    }
    return this._current !== null;
  }

  /** The server speaks another language, or has said what cannot be: it is over. */
  refuse(error: HubError): void {
    const known = Object.entries(CODES).find(([name]) => name === error.code);
    this.end(known?.[1].number ?? CODES.bad_frame.number, error.message);
  }

  /** It is over: do not come back. */
  end(code: number, reason: string): void {
    if (this._isOver) {
      return;
    }
    this._isOver = true;
    this._stop(1000, '');
    const { options, id } = this._holder;
    const lastError = closeReason(code, reason);
    if (code === 1000 || code === CODES.not_found.number) {
      options.book.remove(SERVICE, id);
    } else {
      this._update({ state: 'failed', lastError });
    }
    this._owner.ended(code, lastError);
  }

  /** Close for good, on purpose. */
  close(code: number, reason: string): void {
    this._isOver = true;
    this._stop(code, reason);
    this._holder.options.book.remove(SERVICE, this._holder.id);
  }

  private _begin(): void {
    this._attempts += 1;
    this._tries += 1;
    this._newest += 1;
    const link: ILink = {
      number: this._newest,
      transport: null,
      beganMs: Date.now(),
      isOpen: false,
      isOver: false
    };
    this._attempt = link;
    const isPatient = this._tries % PATIENT_EVERY === 0;
    this._opening.set(isPatient ? PATIENT_MS : ATTEMPT_MS, () => {
      this._abandon(link);
      this._failed(ANSWERLESS);
    });
    const state = this._wasLive ? 'reconnecting' : 'connecting';
    this._update({ state, attempts: this._attempts });
    const { options, name } = this._holder;
    link.transport = options.connect(
      [SERVICE, name],
      TERMINAL_SUBPROTOCOL,
      {
        onOpen: () => link.isOver || this._opened(link),
        onMessage: data => link.isOver || this._message(link, data),
        onClose: (code, reason) =>
          link.isOver || this._closed(link, code, reason)
      },
      { query: this._owner.query() }
    );
  }

  private _opened(link: ILink): void {
    link.isOpen = true;
    if (link.transport?.protocol === TERMINAL_SUBPROTOCOL) {
      this._wasOpened = true;
    } else {
      this._isForeign();
    }
  }

  private _message(link: ILink, data: string | ArrayBuffer): void {
    if (typeof data === 'string') {
      const text = 'The terminal sent text where it should not.';
      this.refuse(HubError.of('bad_frame', text));
    } else if (link === this._current) {
      this._owner.received(data);
    } else {
      this._promote(link, data);
    }
  }

  /** The first frame of an attempt: it takes the older one's place. */
  private _promote(link: ILink, frame: ArrayBuffer): void {
    const older = this._current;
    this._current = link;
    this._attempt = null;
    this._opening.stop();
    if (older) {
      this._leave(older, 1000, 'replaced');
    }
    this._isSuspect = false;
    this._wasLive = true;
    this._connected();
    this._owner.welcomed(frame);
  }

  private _connected(): void {
    this._attempts = 0;
    this._update({ state: 'connected', attempts: 0, lastError: null });
    this._stable.set(STABLE_MS, () => {
      this._tries = 0;
    });
  }

  private _closed(link: ILink, code: number, reason: string): void {
    link.isOver = true;
    if (link.isOpen && code === CODES.version_unsupported.number) {
      this._isForeign();
    } else if (link.isOpen && this._isFinal(link, code)) {
      this.end(code, reason);
    } else if (link === this._current) {
      this._current = null;
      this._stable.stop();
      this._owner.dropped();
      this._failed(reason);
    } else if (link === this._attempt) {
      this._attempt = null;
      this._opening.stop();
      this._failed(reason);
      if (!link.isOpen) {
        void this._ask();
      }
    }
  }

  /** There is no connection that counts, or none that is trusted; go on trying. */
  private _failed(reason: string): void {
    const state = this._wasLive ? 'reconnecting' : 'connecting';
    if (!this._current || this._isSuspect) {
      const lastError = reason || 'The connection was lost.';
      this._update({ state, lastError });
    }
    this._schedule();
  }

  private _schedule(pauseMs?: number): void {
    const isGood = this._current !== null && !this._isSuspect;
    if (this._isOver || isGood || this._attempt || this._next.isSet) {
      return;
    }
    const isHidden =
      document.visibilityState === 'hidden' && this._tries > QUICK_ATTEMPTS;
    const pause = pauseMs ?? terminalBackoffMs(this._tries + 1);
    this._next.set(isHidden ? Math.max(pause, HIDDEN_MS) : pause, () =>
      this._begin()
    );
  }

  /**
   * What stands before 4500 is tried again. Our id is known to nobody else, so that what took our place is ourselves: a
   * newer socket, or an attempt that was given up and arrived late.
   */
  private _isFinal(link: ILink, code: number): boolean {
    if (code === CODES.superseded.number) {
      const isLate = Date.now() - this._abandonedMs < LATE_MS;
      return link.number === this._newest && !isLate;
    }
    return !mayReconnect(code);
  }

  /** An upgrade was refused. */
  private async _ask(): Promise<void> {
    const verdict = await this._refusals.ask(this._wasOpened);
    if (this._isOver) {
      return;
    }
    if (verdict === 'unauthenticated') {
      this.end(CODES.unauthenticated.number, NOT_LOGGED_IN);
    } else if (verdict === 'wait' && this._next.isSet) {
      this._next.stop();
      this._schedule(WAIT_MS);
    } else if (verdict === 'gone') {
      this.end(CODES.not_found.number, 'It has ended.');
    } else if (verdict === 'foreign' && !this._wasOpened) {
      this._isForeign();
    }
  }

  /** Nobody here speaks our protocol. Where somebody did before, the terminal is not there any more. */
  private _isForeign(): void {
    if (this._wasLive) {
      const text = 'The server was replaced by another one.';
      this.end(CODES.not_found.number, text);
      return;
    }
    this._isOver = true;
    this._stop(1000, '');
    this._owner.foreign();
  }

  /** Let go of everything. */
  private _stop(code: number, reason: string): void {
    this._next.stop();
    this._opening.stop();
    this._stable.stop();
    for (const link of [this._attempt, this._current]) {
      if (link) {
        this._leave(link, code, reason);
      }
    }
    this._attempt = this._current = null;
  }

  private _abandon(link: ILink): void {
    this._opening.stop();
    this._attempt = null;
    this._abandonedMs = Date.now();
    this._leave(link, CODES.heartbeat_timeout.number, ANSWERLESS);
  }

  private _leave(link: ILink, code: number, reason: string): void {
    link.isOver = true;
    link.transport?.close(code, reason);
  }

  private _update(change: StatusChange): void {
    const { options, id } = this._holder;
    options.book.update(SERVICE, id, change);
  }

  private readonly _refusals: Refusals;
  private _current: ILink | null = null;
  private _attempt: ILink | null = null;
  /** Set until the next attempt. */
  private readonly _next = new Alarm();
  /** Set while an attempt has no welcome. */
  private readonly _opening = new Alarm();
  private readonly _stable = new Alarm();
  /** The number of the newest socket. */
  private _newest = 0;
  /** Attempts for the pauses: counted on while connections do not last. */
  private _tries = 0;
  /** Attempts since it was connected, for the status. */
  private _attempts = 0;
  private _abandonedMs = -Infinity;
  private _isSuspect = false;
  /** Somebody has spoken our protocol. */
  private _wasOpened = false;
  private _wasLive = false;
  private _isOver = false;
}
