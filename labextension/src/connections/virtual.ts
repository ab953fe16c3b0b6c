/**
 * The main connection with the face of a `WebSocket`: text frames of the hub protocol in and out, with the holder's
 * own `ref`s. Closing it detaches the holder; the connection stays.
 */
import { IDisposable } from '@lumino/disposable';

import { joinFrame } from '../protocol/codec';
import { HubError } from '../protocol/errors';
import {
  CodeName,
  ErrorInfo,
  HUB_SUBPROTOCOL,
  Position,
  ServerMessage
} from '../protocol/generated';
import { Since } from '../tokens';
import { MainConnection } from './main';
import { requireText, SocketFace } from './socket';

type Loose = { [key: string]: unknown };

function info(error: HubError): ErrorInfo {
  return {
    code: error.code,
    message: error.message,
    retryable: error.retryable,
    retry_after_ms: error.retryAfterMs,
    details: error.details
  };
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

export class VirtualMainSocket extends SocketFace {
  readonly protocol = HUB_SUBPROTOCOL;

  /** Open on a connection that is connected. */
  constructor(
    url: string,
    private readonly _main: MainConnection
  ) {
    super(url);
    this._stopListening = _main.onEnd((code, reason) => {
      this._letGo();
      this.fireClose(code, reason, true);
    });
    this.fireOpen();
  }

  /** Takes a frame: an array of `request`, `cancel`, `subscribe`, `unsubscribe` and `ping` messages. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (this.readyState !== this.OPEN) {
      return;
    }
    let frame: unknown;
    try {
      frame = JSON.parse(requireText(data));
    } catch (error) {
      frame = null;
    }
    if (!Array.isArray(frame) || !frame.every(isObject)) {
      throw HubError.of('bad_frame', 'A frame is a JSON array of messages.');
    }
    frame.forEach(message => this._take(message));
  }

  protected closing(): void {
    this._stopListening();
    this._letGo();
  }

  private _letGo(): void {
    this._topics.forEach(topic => topic.dispose());
    this._topics.clear();
  }

  private _take(message: Loose): void {
    const ref = typeof message['ref'] === 'number' ? message['ref'] : null;
    const topic = String(message['topic'] ?? '');
    switch (message['type']) {
      case 'request':
        if (ref !== null) {
          this._request(ref, message);
        }
        break;
      case 'cancel':
        this._requests.get(ref ?? -1)?.abort();
        break;
      case 'subscribe':
        this._subscribe(ref, topic, (message['since'] ?? 'latest') as Since);
        break;
      case 'unsubscribe':
        this._topics.get(topic)?.dispose();
        this._topics.delete(topic);
        this._give({ type: 'reply', ref, result: null });
        break;
      case 'ping':
        this._give({ type: 'pong', t: Number(message['t'] ?? 0) });
        break;
      default:
        this._refuse(ref, 'unknown_type', `No message ${message['type']}.`);
    }
  }

  private _request(ref: number, message: Loose): void {
    const abort = new AbortController();
    this._requests.set(ref, abort);
    const timeout = message['timeout_ms'];
    this._main
      .request(String(message['method']), message['params'] ?? {}, {
        signal: abort.signal,
        timeoutMs: typeof timeout === 'number' ? timeout : undefined,
        onItem: (data, n) => this._give({ type: 'item', ref, n, data })
      })
      .then(
        result => this._give({ type: 'reply', ref, result }),
        (error: HubError) =>
          this._give({ type: 'reply', ref, error: info(error) })
      )
      .finally(() => this._requests.delete(ref));
  }

  private _subscribe(ref: number | null, topic: string, since: Since): void {
    this._topics.get(topic)?.dispose();
    let start: Position | null = null;
    let answered = false;
    const subscription = this._main.subscribe(
      topic,
      {
        onEvent: event => this._give(event),
        onSubscribed: (position, reset) => {
          // A reset, and the answer of a topic without a log, come with their snapshot.
          start = position;
          if (position !== null && !reset) {
            this._subscribed(ref, topic, position, null, null);
            answered = true;
          }
        },
        onSnapshot: (snapshot, reason) => {
          this._subscribed(
            answered ? null : ref,
            topic,
            start,
            snapshot,
            reason
          );
          answered = true;
        },
        onLive: () => this._give({ type: 'live', topic }),
        onError: error => this._give({ type: 'reply', ref, error: info(error) })
      },
      since
    );
    this._topics.set(topic, subscription);
  }

  private _subscribed(
    ref: number | null,
    topic: string,
    position: Position | null,
    snapshot: unknown,
    reason: string | null
  ): void {
    this._give({
      type: 'subscribed',
      ref,
      topic,
      status: reason === null ? 'ok' : 'reset',
      position,
      head: position?.offset ?? null,
      reason,
      snapshot
    });
  }

  private _refuse(ref: number | null, code: CodeName, text: string): void {
    const error = info(HubError.of(code, text));
    this._give({ type: 'reply', ref, error });
  }

  private _give(message: ServerMessage): void {
    if (this.readyState === this.OPEN) {
      this.fireMessage(joinFrame([JSON.stringify(message)]));
    }
  }

  private readonly _stopListening: () => void;
  private readonly _topics = new Map<string, IDisposable>();
  private readonly _requests = new Map<number, AbortController>();
}
