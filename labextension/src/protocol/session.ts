/**
 * The client's side of `/ws` as a state machine: frames in, frames and outcomes out. No socket, no timers, no clock.
 *
 * It keeps what a reconnect needs: the session's token, each topic's position, each unanswered request.
 */
import {
  decodeServerFrame,
  encodeClientMessage,
  joinFrame,
  wireBytes
} from './codec';
import { HubError } from './errors';
import {
  ClientInfo,
  ClientMessage,
  IDEMPOTENT,
  INBOUND_FRAME_BYTES,
  Item,
  Position,
  Reply,
  ServerMessage,
  Welcome
} from './generated';
import { Receipts } from './receipts';
import { TopicOutcome, TopicSince, TopicTable } from './topics';

/** What the machine tells its owner. */
export type Outcome =
  | TopicOutcome
  | { type: 'welcome'; resumed: boolean; welcome: Welcome }
  | { type: 'result'; ref: number; result: unknown }
  | { type: 'error'; ref: number; error: HubError }
  | {
      type: 'item';
      ref: number;
      n: number;
      data: unknown;
      /** The item's share of its frame: about how much memory it takes here. */
      characters: number;
    }
  | { type: 'pong'; t: number }
  | { type: 'bye'; code: number; reason: string; retryAfterMs: number | null };

interface IPending {
  method: string;
  /** The request, encoded. */
  text: string;
  sent: boolean;
  cancelled: boolean;
  /** May be run again when it is not known whether it ran. */
  idempotent: boolean;
  /** The number of the next item of a streamed reply. */
  next: number;
}

/** A frame is ended when it would have more characters than this, well below what the server takes in bytes. */
const FRAME_CHARACTERS = 128 * 1024;

export class ClientSession {
  constructor(private readonly _client: ClientInfo) {}

  /** Whether the server has said welcome on this connection. */
  get isOpen(): boolean {
    return this._open;
  }

  /** The limits and the heartbeat of the last welcome. */
  get welcome(): Welcome | null {
    return this._welcome;
  }

  /** A socket has opened: the frame to send first. */
  opened(): string {
    this._open = false;
    this._receipts.opened();
    const hello = encodeClientMessage({
      type: 'hello',
      client: this._client,
      session: this._welcome?.session ?? null,
      resume: this._welcome?.resume ?? null,
      positions: this._topics.positions(),
      attempt: ++this._attempt
    });
    return joinFrame([hello]);
  }

  /** The socket is gone. */
  closed(): void {
    this._open = false;
  }

  /**
   * Take a frame from the server; what has to be sent in answer is in `takeFrame`, which is to be asked when the
   * outcomes were handed on: it tells the server that the frame was consumed.
   *
   * @throws HubError `bad_frame`: the server does not speak this protocol.
   */
  receive(text: string): Outcome[] {
    const outcomes: Outcome[] = [];
    const messages = decodeServerFrame(text);
    this._receipts.received(text.length);
    const characters = Math.ceil(text.length / messages.length);
    for (const message of messages) {
      if (message.type === 'item') {
        this._item(message, characters, outcomes);
      } else {
        this._handle(message, outcomes);
      }
    }
    return outcomes;
  }

  /** The next frame to send, null if there is none now; to be asked until it is null. */
  takeFrame(): string | null {
    if (!this._open) {
      return null;
    }
    const ack = this._receipts.take(() => this._settledUpTo());
    if (ack) {
      this._send(ack);
    }
    if (this._out.length === 0) {
      return null;
    }
    let count = 0;
    let characters = 0;
    do {
      characters += this._out[count++]?.length ?? 0;
    } while (
      count < this._out.length &&
      characters + (this._out[count]?.length ?? 0) <= FRAME_CHARACTERS
    );
    return joinFrame(this._out.splice(0, count));
  }

  /** Tell the server of no more frames until that is taken back, so that it sends no more than its window takes. */
  hold(held: boolean): void {
    this._receipts.hold(held);
  }

  /**
   * Prepare a request; gives its `ref`. It is sent now or when the connection is there. One that is `idempotent` is
   * sent again also when the session was lost; the methods of our own half need not say so.
   *
   * @throws HubError `too_big`: it is larger than the largest frame that the server takes.
   */
  request(
    method: string,
    params: unknown,
    timeoutMs: number | null,
    idempotent = false
  ): number {
    const ref = ++this._lastRef;
    const text = encodeClientMessage({
      type: 'request',
      ref,
      method,
      params,
      timeout_ms: timeoutMs
    });
    const limit = this._welcome?.limits.frame_bytes ?? INBOUND_FRAME_BYTES;
    if (text.length * 3 > limit && wireBytes(text) + 2 > limit) {
      throw HubError.of(
        'too_big',
        `${method} carries more than the ${limit} bytes that the server takes at once; use a file stream.`
      );
    }
    this._pending.set(ref, {
      method,
      text,
      sent: this._open,
      cancelled: false,
      idempotent: idempotent || IDEMPOTENT.has(method),
      next: 0
    });
    if (this._open) {
      this._out.push(text);
    }
    return ref;
  }

  /** Ask the server to stop a request. True if it is over at once, because it was never sent. */
  cancel(ref: number): boolean {
    const pending = this._pending.get(ref);
    if (!pending) {
      return false;
    }
    if (!pending.sent) {
      this._settle(ref);
      return true;
    }
    pending.cancelled = true;
    if (this._open) {
      this._send({ type: 'cancel', ref });
    }
    return false;
  }

  /** Follow a topic from now on. */
  subscribe(name: string, since: TopicSince): void {
    this._topics.subscribe(name, since);
  }

  /** Ask again for a topic that was `postponed`. */
  askAgain(name: string): void {
    this._topics.askAgain(name);
  }

  /** Where a subscription that was not answered yet starts; null if there is none such. */
  pendingSince(name: string): TopicSince | null {
    return this._topics.pendingSince(name);
  }

  /** Where the events of a topic that have come so far end; null where that is not known. */
  position(name: string): Position | null {
    return this._topics.position(name);
  }

  /** Follow a topic no longer. */
  unsubscribe(name: string): void {
    this._topics.unsubscribe(name);
  }

  /** Ask the server whether it is there; `t` comes back in the `pong`. */
  ping(t: number): void {
    if (this._open) {
      this._send({ type: 'ping', t });
    }
  }

  /** Free the session on the server: the frame to send last. */
  bye(): string {
    this._open = false;
    const bye = { type: 'bye', code: 1000, reason: '' } as const;
    return joinFrame([encodeClientMessage({ ...bye, retry_after_ms: null })]);
  }

  private _handle(message: ServerMessage, outcomes: Outcome[]): void {
    switch (message.type) {
      case 'welcome':
        this._welcomed(message, outcomes);
        break;
      case 'reply':
        this._replied(message, outcomes);
        break;
      case 'subscribed':
        outcomes.push(...this._topics.subscribed(message));
        break;
      case 'event':
        outcomes.push(...this._topics.event(message));
        break;
      case 'position':
        this._topics.moved(message.topic, message.prev, message.position);
        break;
      case 'live':
        outcomes.push({ type: 'live', topic: message.topic });
        break;
      case 'ping':
        this._send({ type: 'pong', t: message.t });
        this._receipts.asked();
        break;
      case 'pong':
        outcomes.push({ type: 'pong', t: message.t });
        break;
      case 'bye':
        outcomes.push({
          type: 'bye',
          code: message.code,
          reason: message.reason,
          retryAfterMs: message.retry_after_ms
        });
        break;
      default:
        break;
    }
  }

  private _welcomed(welcome: Welcome, outcomes: Outcome[]): void {
    this._open = true;
    this._welcome = welcome;
    this._out = [];
    outcomes.push({ type: 'welcome', resumed: welcome.resumed, welcome });
    for (const [ref, pending] of [...this._pending]) {
      if (pending.sent && !welcome.resumed && !pending.idempotent) {
        this._settle(ref);
        const error = HubError.of(
          'unknown_outcome',
          `The connection was lost while ${pending.method} was under way; it may have been done or not.`
        );
        outcomes.push({ type: 'error', ref, error });
        continue;
      }
      pending.sent = true;
      this._out.push(pending.text);
      if (pending.cancelled) {
        this._send({ type: 'cancel', ref });
      }
    }
    this._topics.opened();
  }

  private _replied(reply: Reply, outcomes: Outcome[]): void {
    const error = reply.error ? HubError.from(reply.error) : null;
    const refused = error && this._topics.refused(reply.ref, error);
    if (refused) {
      outcomes.push(refused);
    } else if (reply.ref !== null && this._pending.has(reply.ref)) {
      this._settle(reply.ref);
      outcomes.push(
        error
          ? { type: 'error', ref: reply.ref, error }
          : { type: 'result', ref: reply.ref, result: reply.result ?? null }
      );
    }
  }

  /** After a reconnect the server begins again at 0: what has come already is left out. */
  private _item(item: Item, characters: number, outcomes: Outcome[]): void {
    const { ref, n, data } = item;
    const pending = this._pending.get(ref);
    if (!pending || pending.cancelled || n < pending.next) {
      return;
    }
    // Only what may run again is streamed.
    pending.idempotent = true;
    if (n === pending.next) {
      pending.next += 1;
      outcomes.push({ type: 'item', ref, n, data, characters });
      return;
    }
    this._settle(ref);
    this._send({ type: 'cancel', ref });
    const error = HubError.of(
      'bad_frame',
      `Item ${pending.next} of ${pending.method} is missing: ${n} has come.`
    );
    outcomes.push({ type: 'error', ref, error });
  }

  private _send(message: ClientMessage): void {
    this._out.push(encodeClientMessage(message));
  }

  private _settle(ref: number): void {
    this._pending.delete(ref);
    this._receipts.settled(ref);
  }

  /** The `ref` up to which everything is settled here; requests wait in the order of their `ref`s. */
  private _settledUpTo(): number {
    const [oldest = this._lastRef + 1] = this._pending.keys();
    return oldest - 1;
  }

  private readonly _topics = new TopicTable({
    isOpen: () => this._open,
    nextRef: () => ++this._lastRef,
    send: message => this._send(message)
  });
  private _open = false;
  private _welcome: Welcome | null = null;
  private _lastRef = 0;
  /** Sockets that have opened so far: a hello that is overtaken on its way is recognised by it. */
  private _attempt = 0;
  private readonly _receipts = new Receipts();
  /** Encoded messages on their way out; bounded by what the callers have pending. */
  private _out: string[] = [];
  private readonly _pending = new Map<number, IPending>();
}
