/**
 * The one connection for messages of this tab: the client session on a kept socket, with heartbeat and probes.
 */
import { IDisposable } from '@lumino/disposable';

import { HubError } from '../protocol/errors';
import { HUB_SUBPROTOCOL } from '../protocol/generated';
import { ClientSession, Outcome } from '../protocol/session';
import { IRequestOptions, Since } from '../tokens';
import { closeError, IKept, Keeper } from './keeper';
import { StatusBook } from './status';
import { IRawSubscriber, Subscriptions } from './subscription';
import { Ask, Connect } from './transport';

const CHECK_MS = 1000;
const PING_MS = 15_000;
const PROBE_MS = 3000;
/** When to ask again for a topic, where the server does not say it. */
const ASK_AGAIN_MS = 2000;
/** How long the server may take to say welcome. */
const GREETING_MS = 15_000;
/** Timers that come this late mean that this tab was asleep, not that the server is gone. */
const ASLEEP_MS = 5000;

interface IWaiting {
  resolve(result: unknown): void;
  reject(error: HubError): void;
}

/** What the connection needs. */
export interface IMainOptions {
  connect: Connect;
  ask: Ask;
  book: StatusBook;
  version: string;
  now?: () => number;
}

export class MainConnection implements IKept {
  constructor(private readonly _options: IMainOptions) {
    this._now = _options.now ?? Date.now;
    this._session = new ClientSession({
      name: 'jupyter-ws-hub',
      version: _options.version
    });
    this.subscriptions = new Subscriptions(this._session, () => this._flush());
  }

  /** Who follows which topic. */
  readonly subscriptions: Subscriptions;

  /** Connect if that has not begun; resolves when connected, rejects when the server refuses for good. */
  connect(): Promise<void> {
    this._begin();
    if (this._keeper?.isConnected) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this._connecting.push({ resolve: () => resolve(), reject });
    });
  }

  /** Call a method; see IConnectionManager. */
  request(
    method: string,
    params: unknown,
    options: IRequestOptions = {}
  ): Promise<unknown> {
    const { signal, timeoutMs } = options;
    const cancelled = HubError.of('cancelled', `${method} was cancelled.`);
    if (signal?.aborted) {
      return Promise.reject(cancelled);
    }
    this._begin();
    if (this._failure) {
      return Promise.reject(this._failure);
    }
    return new Promise((resolve, reject) => {
      const ref = this._session.request(method, params, timeoutMs ?? null);
      const abort = () => {
        if (this._session.cancel(ref)) {
          this._waiting.delete(ref);
          reject(cancelled);
        }
        this._flush();
      };
      const settled = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      this._waiting.set(ref, {
        resolve: result => (settled(), resolve(result)),
        reject: error => (settled(), reject(error))
      });
      this._flush();
    });
  }

  /** Follow a topic; see IConnectionManager. */
  subscribe(
    topic: string,
    subscriber: IRawSubscriber,
    since: Since
  ): IDisposable {
    this._begin();
    return this.subscriptions.subscribe(topic, subscriber, since);
  }

  /** Ask the server at once whether it is there; without an answer soon, connect anew. */
  probe(): void {
    this._keeper?.hurry();
    if (this._session.isOpen && this._probeTimer === null) {
      this._ping();
      const heard = this._heardCount;
      this._probeTimer = setTimeout(() => {
        this._probeTimer = null;
        if (this._heardCount === heard) {
          this._keeper?.reconnect('The server does not answer.');
        }
      }, PROBE_MS);
    }
  }

  /** Leave on purpose: the server frees the session, and what still waits is told. */
  close(): void {
    if (this._session.isOpen) {
      this._keeper?.send(this._session.bye());
    }
    this._keeper?.close();
    this._keeper = null;
    this._tellEnd(1000, 'The connection was closed.');
  }

  /** Be told when the connection is over for good; the result stops that. */
  onEnd(listener: (code: number, reason: string) => void): () => void {
    this._endListeners.add(listener);
    return () => this._endListeners.delete(listener);
  }

  opened(): boolean {
    this._hear();
    this._isGreeting = true;
    this._keeper?.send(this._session.opened());
    return false;
  }

  received(data: string | ArrayBuffer): void {
    this._hear();
    let outcomes: Outcome[];
    try {
      outcomes = this._session.receive(data as string);
    } catch (error) {
      this._keeper?.drop(String(error));
      return;
    }
    for (const outcome of outcomes) {
      if (!this.subscriptions.handle(outcome)) {
        this._handle(outcome);
      }
    }
    this._flush();
  }

  dropped(): void {
    this._isGreeting = false;
    this._session.closed();
  }

  ended(code: number, reason: string): void {
    this._failure = closeError(code, reason);
    this._tellEnd(code, reason);
  }

  private _tellEnd(code: number, reason: string): void {
    this._stopTimers();
    this._session.closed();
    const error = this._failure ?? closeError(code, reason);
    const waiting = [...this._waiting.values(), ...this._connecting];
    this._waiting.clear();
    this._connecting = [];
    waiting.forEach(({ reject }) => reject(error));
    this.subscriptions.topics.forEach(topic =>
      this.subscriptions.refuse(topic, error)
    );
    const listeners = [...this._endListeners];
    this._endListeners.clear();
    listeners.forEach(listener => listener(code, reason));
  }

  private _hear(): void {
    this._heardMs = this._now();
    this._heardCount += 1;
  }

  private _begin(): void {
    const failure = this._failure;
    if (failure) {
      this._connecting.splice(0).forEach(one => one.reject(failure));
      return;
    }
    if (this._keeper) {
      return;
    }
    const { connect, ask, book } = this._options;
    this._keeper = new Keeper(
      {
        service: 'main',
        id: null,
        path: [],
        subprotocol: HUB_SUBPROTOCOL,
        connect,
        ask,
        book
      },
      this
    );
    this._checkedMs = this._now();
    this._checker = setInterval(() => this._check(), CHECK_MS);
  }

  private _handle(outcome: Outcome): void {
    switch (outcome.type) {
      case 'welcome':
        this._isGreeting = false;
        this._keeper?.confirm();
        this._connecting.splice(0).forEach(one => one.resolve(undefined));
        this._ping();
        break;
      case 'result':
        this._settle(outcome.ref)?.resolve(outcome.result);
        break;
      case 'error':
        this._settle(outcome.ref)?.reject(outcome.error);
        break;
      case 'postponed':
        this._askLater(outcome.topic, outcome.error.retryAfterMs);
        break;
      case 'pong':
        this._options.book.update('main', null, {
          roundTripMs: Math.max(0, this._now() - outcome.t)
        });
        break;
      case 'bye':
        this._bye(outcome.retryAfterMs, outcome.reason, outcome.code);
        break;
      default:
        break;
    }
  }

  /** The close frame that follows says whether to come back; `bye` says when. */
  private _bye(retryAfterMs: number | null, reason: string, code: number) {
    if (retryAfterMs !== null && code < 4500) {
      this._keeper?.reconnect(reason, retryAfterMs);
    }
  }

  /** The server could not serve a topic for a while: ask again, unless the connection was lost meanwhile. */
  private _askLater(topic: string, retryAfterMs: number | null): void {
    const timer = setTimeout(() => {
      this._asking.delete(timer);
      this._session.askAgain(topic);
      this._flush();
    }, retryAfterMs ?? ASK_AGAIN_MS);
    this._asking.add(timer);
  }

  private _settle(ref: number): IWaiting | undefined {
    const waiting = this._waiting.get(ref);
    this._waiting.delete(ref);
    return waiting;
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
    const heartbeat = this._session.welcome?.heartbeat;
    const silence = now - this._heardMs;
    if (!this._session.isOpen) {
      if (this._isGreeting && silence > GREETING_MS) {
        this._keeper?.reconnect('The server says nothing.');
      }
    } else if (
      heartbeat &&
      silence > heartbeat.interval_ms + heartbeat.grace_ms
    ) {
      this._keeper?.reconnect('Nothing was heard from the server.');
    } else if (now - this._pingedMs >= PING_MS) {
      this._ping();
    }
  }

  private _ping(): void {
    this._pingedMs = this._now();
    this._session.ping(this._pingedMs);
    this._flush();
  }

  private _flush(): void {
    for (
      let frame = this._session.takeFrame();
      frame !== null;
      frame = this._session.takeFrame()
    ) {
      this._keeper?.send(frame);
    }
  }

  private _stopTimers(): void {
    if (this._checker !== null) {
      clearInterval(this._checker);
    }
    if (this._probeTimer !== null) {
      clearTimeout(this._probeTimer);
    }
    this._asking.forEach(clearTimeout);
    this._asking.clear();
    this._checker = this._probeTimer = null;
  }

  private readonly _now: () => number;
  private readonly _session: ClientSession;
  private readonly _waiting = new Map<number, IWaiting>();
  private _connecting: IWaiting[] = [];
  private _keeper: Keeper | null = null;
  private _failure: HubError | null = null;
  private _checker: ReturnType<typeof setInterval> | null = null;
  private _probeTimer: ReturnType<typeof setTimeout> | null = null;
  private readonly _endListeners = new Set<
    (code: number, reason: string) => void
  >();
  /** Hello was said, and the server has not answered yet. */
  private _isGreeting = false;
  /** Timers of topics that are to be asked for again. */
  private readonly _asking = new Set<ReturnType<typeof setTimeout>>();
  private _heardMs = 0;
  private _heardCount = 0;
  private _pingedMs = 0;
  private _checkedMs = 0;
}
