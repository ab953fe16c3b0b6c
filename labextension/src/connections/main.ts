/**
 * The one connection for messages of this tab: the client session on a kept socket, with heartbeat and probes.
 */
import { IDisposable } from '@lumino/disposable';

import { closeError, HubError, mayReconnect } from '../protocol/errors';
import { Heartbeat as Times, HUB_SUBPROTOCOL } from '../protocol/generated';
import { ClientSession, Outcome } from '../protocol/session';
import { Since } from '../tokens';
import { Heartbeat, IHeartbeatOwner } from './heartbeat';
import { IKept, Keeper } from './keeper';
import { StatusBook } from './status';
import { ICallOptions, Streams } from './stream';
import { IRawSubscriber, Subscriptions } from './subscription';
import { Ask, Connect } from './transport';

/** When to ask again for a topic, where the server does not say it. */
const ASK_AGAIN_MS = 2000;

interface IWaiting {
  resolve(result: unknown): void;
  reject(error: HubError): void;
  /** Takes the items of a streamed reply. */
  onItem?: ICallOptions['onItem'];
}

/** What the connection needs. */
export interface IMainOptions {
  connect: Connect;
  ask: Ask;
  book: StatusBook;
  version: string;
  now?: () => number;
  /** A clock in fractions of milliseconds, for round trips. */
  exact?: () => number;
}

export class MainConnection implements IKept, IHeartbeatOwner {
  constructor(private readonly _options: IMainOptions) {
    this._now = _options.now ?? Date.now;
    this._exact = _options.exact ?? (() => performance.now());
    this._session = new ClientSession({
      name: 'jupyter-ws-hub',
      version: _options.version
    });
    this._heartbeat = new Heartbeat(this, this._now);
    this.subscriptions = new Subscriptions(this._session, () => this._flush());
    this.streams = new Streams(
      (...call) => this.request(...call),
      held => {
        this._session.hold(held);
        this._flush();
      }
    );
  }

  /** Who follows which topic. */
  readonly subscriptions: Subscriptions;

  /** Replies that come in items; see IConnectionManager.stream. */
  readonly streams: Streams;

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
    options: ICallOptions = {}
  ): Promise<unknown> {
    const { signal, timeoutMs, idempotent, onItem } = options;
    const cancelled = HubError.of('cancelled', `${method} was cancelled.`);
    if (signal?.aborted) {
      return Promise.reject(cancelled);
    }
    this._begin();
    if (this._failure) {
      return Promise.reject(this._failure);
    }
    return new Promise((resolve, reject) => {
      const ref = this._session.request(
        method,
        params,
        timeoutMs ?? null,
        idempotent
      );
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
        reject: error => (settled(), reject(error)),
        onItem
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
    this._heartbeat.probe();
  }

  /** Measure the round trip now. */
  measure(): void {
    if (this.phase === 'open') {
      this._heartbeat.ping();
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

  get phase(): 'away' | 'greeting' | 'open' {
    return this._session.isOpen
      ? 'open'
      : this._isGreeting
        ? 'greeting'
        : 'away';
  }

  get times(): Times | null {
    return this._session.welcome?.heartbeat ?? null;
  }

  ping(t: number): void {
    this._pinged = { t, exactMs: this._exact() };
    this._session.ping(t);
    this._flush();
  }

  gone(reason: string): void {
    this._keeper?.reconnect(reason);
  }

  /** Be told when the connection is over for good; the result stops that. */
  onEnd(listener: (code: number, reason: string) => void): () => void {
    this._endListeners.add(listener);
    return () => this._endListeners.delete(listener);
  }

  opened(): boolean {
    this._heartbeat.hear();
    this._isGreeting = true;
    this._keeper?.send(this._session.opened());
    return false;
  }

  received(data: string | ArrayBuffer): void {
    this._heartbeat.hear();
    let outcomes: Outcome[];
    try {
      outcomes = this._session.receive(data as string);
    } catch (error) {
      this._keeper?.drop(String(error));
      return;
    }
    // What is sent meanwhile waits: the frame counts as consumed when all of it was handed on.
    this._isHanding = true;
    try {
      for (const outcome of outcomes) {
        if (!this.subscriptions.handle(outcome)) {
          this._handle(outcome);
        }
      }
    } finally {
      this._isHanding = false;
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
    this._heartbeat.start();
  }

  private _handle(outcome: Outcome): void {
    switch (outcome.type) {
      case 'welcome':
        this._isGreeting = false;
        this._keeper?.confirm();
        this._connecting.splice(0).forEach(one => one.resolve(undefined));
        this._heartbeat.ping();
        break;
      case 'result':
        this._settle(outcome.ref)?.resolve(outcome.result);
        break;
      case 'error':
        this._settle(outcome.ref)?.reject(outcome.error);
        break;
      case 'item':
        this._item(outcome);
        break;
      case 'postponed':
        this._askLater(outcome.topic, outcome.error.retryAfterMs);
        break;
      case 'pong':
        this._options.book.update('main', null, {
          roundTripMs: this._roundTrip(outcome.t)
        });
        break;
      case 'bye':
        this._bye(outcome.retryAfterMs, outcome.reason, outcome.code);
        break;
      default:
        break;
    }
  }

  /** Of the ping that was sent at `t`; of the newest one it is known exactly. */
  private _roundTrip(t: number): number {
    const newest = t === this._pinged?.t ? this._pinged : null;
    const passed = newest ? this._exact() - newest.exactMs : this._now() - t;
    return Math.max(0, passed);
  }

  /** Why the server ends the connection, and when to come back; the close frame that follows may be lost. */
  private _bye(retryAfterMs: number | null, reason: string, code: number) {
    if (code !== 1000 && !mayReconnect(code)) {
      this._keeper?.refuse(code, reason);
    } else if (retryAfterMs !== null) {
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

  /** Whoever takes items may fail; the others get theirs. */
  private _item(item: Extract<Outcome, { type: 'item' }>): void {
    const { ref, n, data, characters } = item;
    try {
      this._waiting.get(ref)?.onItem?.(data, n, characters);
    } catch (error) {
      console.error(`Item ${n} of request ${ref} was not taken.`, error);
    }
  }

  private _settle(ref: number): IWaiting | undefined {
    const waiting = this._waiting.get(ref);
    this._waiting.delete(ref);
    return waiting;
  }

  private _flush(): void {
    if (this._isHanding) {
      return;
    }
    for (
      let frame = this._session.takeFrame();
      frame !== null;
      frame = this._session.takeFrame()
    ) {
      this._keeper?.send(frame);
    }
  }

  private _stopTimers(): void {
    this._heartbeat.stop();
    this._asking.forEach(clearTimeout);
    this._asking.clear();
  }

  private readonly _now: () => number;
  private readonly _exact: () => number;
  private _pinged: { t: number; exactMs: number } | null = null;
  private readonly _session: ClientSession;
  private readonly _heartbeat: Heartbeat;
  private readonly _waiting = new Map<number, IWaiting>();
  private _connecting: IWaiting[] = [];
  private _keeper: Keeper | null = null;
  private _failure: HubError | null = null;
  private readonly _endListeners = new Set<
    (code: number, reason: string) => void
  >();
  /** Hello was said, and the server has not answered yet. */
  private _isGreeting = false;
  /** The outcomes of a frame are being handed on. */
  private _isHanding = false;
  /** Timers of topics that are to be asked for again. */
  private readonly _asking = new Set<ReturnType<typeof setTimeout>>();
}
