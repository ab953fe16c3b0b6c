/**
 * A server as the protocol describes it, without sockets and time: messages in, messages out. It keeps what the
 * guarantees are measured by: what every topic's log has held, and how often each request was run.
 */
import {
  ClientMessage,
  ErrorInfo,
  Hello,
  Position,
  Reply,
  Request,
  ServerMessage,
  Subscribe
} from '../protocol/generated';
import { errorInfo } from './fakeTopics';
import { subscribed, WELCOME } from './sessions';

export const PLAIN = 'example.plain';
export const IDEMPOTENT_ONE = 'chat.rooms';
export const STREAMED = 'example.streamed';
export const UNLOGGED = 'status';
export const TOPICS = ['chat/a', 'chat/b', UNLOGGED] as const;

/** What stands at an offset, and whether it is for this subscriber. */
interface IEntry {
  id: string;
  mine: boolean;
}

interface ILog {
  epoch: string;
  floor: number;
  /** Everything since the epoch began, trimmed or not. */
  entries: IEntry[];
}

interface ISession {
  tokens: string[];
  outcomes: Map<number, Reply>;
  running: Map<number, Request>;
  started: number;
}

interface IConnection {
  session: ISession;
  /** Up to where each topic was sent. */
  cursors: Map<string, number>;
  streams: Map<number, number>;
}

/** The number of items of a streamed reply. */
export function itemsOf(ref: number): number {
  return ref % 7;
}

export class ModelServer {
  /** What is on its way to the client. */
  wire: ServerMessage[] = [];
  readonly logs = new Map<string, ILog>();
  /** How often each request was run. */
  readonly runs = new Map<number, number>();
  /** The value of the topic without a log. */
  value = 0;
  /** Topics that cannot be served now. */
  readonly busy = new Set<string>();
  /** The last acknowledgement of frames on this connection. */
  ackedFrames = 0;
  /** Every `ref` up to it is settled at the client. */
  done = 0;

  log(topic: string): ILog {
    const log = this.logs.get(topic) ?? this._fresh();
    this.logs.set(topic, log);
    return log;
  }

  head(topic: string): Position {
    return this._at(topic, this.log(topic).entries.length);
  }

  publish(topic: string, mine: boolean): void {
    if (topic === UNLOGGED) {
      this.value += 1;
      if (this._connection?.cursors.has(topic)) {
        const at = { offset: null, id: 'x', time: 0, data: this.value };
        this.wire.push({ type: 'event', topic, kind: 'value', ...at });
      }
      return;
    }
    this.log(topic).entries.push({ id: `i${++this._ids}`, mine });
    this._catchUp(topic);
  }

  /** Move the subscriber over what was not for it. */
  move(topic: string): void {
    const prev = this._connection?.cursors.get(topic);
    const position = this.head(topic);
    if (prev !== undefined && prev < position.offset) {
      this._connection?.cursors.set(topic, position.offset);
      this.wire.push({ type: 'position', topic, position, prev });
    }
  }

  /** Keep only the newest events of a topic. */
  trim(topic: string): void {
    const log = this.log(topic);
    log.floor = Math.max(log.floor, log.entries.length - 2);
  }

  /** Reset a subscription that stands. */
  reset(topic: string): void {
    if (this._connection?.cursors.has(topic)) {
      const position = this.head(topic);
      this._connection.cursors.set(topic, position.offset);
      const reset = { status: 'reset', reason: 'trimmed' } as const;
      this.wire.push(subscribed(null, topic, position, reset));
    }
  }

  /** The connection is gone, with all that was on its way. */
  cut(): void {
    this.wire = [];
    this._connection = null;
  }

  /** Begin anew: without the sessions, or with logs that are others, or have lost their newest entries. */
  restart(what: 'sessions' | 'epochs' | 'tails'): void {
    this.cut();
    if (what === 'sessions') {
      this._sessions.clear();
    } else if (what === 'epochs') {
      this.logs.clear();
    } else {
      for (const log of this.logs.values()) {
        log.entries.splice(Math.max(log.floor, log.entries.length - 2));
      }
    }
  }

  /** The oldest request that runs ends. */
  finish(): void {
    for (const session of this._sessions.values()) {
      const [ref] = session.running.keys();
      if (ref !== undefined) {
        this._settle(session, { type: 'reply', ref, result: ref });
        return;
      }
    }
  }

  /** The next item of a streamed reply, or its end. */
  stream(): void {
    const [running] = this._connection?.streams ?? [];
    if (running && this._connection) {
      const [ref, n] = running;
      if (n < itemsOf(ref)) {
        this._connection.streams.set(ref, n + 1);
        this.wire.push({ type: 'item', ref, n, data: n });
      } else {
        this._connection.streams.delete(ref);
        this.wire.push({ type: 'reply', ref, result: null });
      }
    }
  }

  /** Whether something is still to be answered. */
  get isBusy(): boolean {
    const running = [...this._sessions.values()].some(
      one => one.running.size > 0
    );
    return running || (this._connection?.streams.size ?? 0) > 0;
  }

  take(message: ClientMessage): void {
    const connection = this._connection;
    if (message.type === 'hello') {
      this._hello(message);
      return;
    }
    if (!connection) {
      throw new Error('Something was said before the hello.');
    }
    const { session } = connection;
    session.tokens.splice(0, session.tokens.length - 1);
    switch (message.type) {
      case 'subscribe':
        this._subscribe(message.ref, message.topic, message.since ?? 'latest');
        break;
      case 'unsubscribe':
        connection.cursors.delete(message.topic);
        this.wire.push({ type: 'reply', ref: message.ref });
        break;
      case 'request':
        this._request(connection, message);
        break;
      case 'cancel':
        this._cancel(connection, message.ref);
        break;
      case 'ack':
        this.ackedFrames = message.frames ?? this.ackedFrames;
        this.done = Math.max(this.done, message.done ?? 0);
        for (const ref of [...session.outcomes.keys()]) {
          if (ref <= this.done) {
            session.outcomes.delete(ref);
          }
        }
        break;
      case 'ping':
        this.wire.push({ type: 'pong', t: message.t });
        break;
      default:
        break;
    }
  }

  private _hello(hello: Hello): void {
    const known = this._sessions.get(hello.session ?? '');
    const resumed = known?.tokens.includes(hello.resume ?? '') ?? false;
    const id = resumed ? String(hello.session) : `s${++this._ids}`;
    const session: ISession =
      resumed && known
        ? known
        : { tokens: [], outcomes: new Map(), running: new Map(), started: 0 };
    const resume = `r${++this._ids}`;
    session.tokens.push(resume);
    this._sessions.set(id, session);
    this._connection = { session, cursors: new Map(), streams: new Map() };
    this.ackedFrames = 0;
    this.wire = [{ ...WELCOME, session: id, resume, resumed }];
    for (const [topic, position] of Object.entries(hello.positions ?? {})) {
      this._subscribe(null, topic, position ?? 'latest');
    }
  }

  private _request(connection: IConnection, request: Request): void {
    const { ref, method } = request;
    const { session } = connection;
    const outcome = session.outcomes.get(ref);
    if (outcome) {
      this.wire.push(outcome);
    } else if (method === STREAMED) {
      this._run(ref);
      connection.streams.set(ref, 0);
    } else if (session.running.has(ref)) {
      return;
    } else if (ref > session.started) {
      this._run(ref);
      session.started = ref;
      session.running.set(ref, request);
    } else {
      this._answer(ref, errorInfo('unknown_outcome'));
    }
  }

  private _cancel({ session, streams }: IConnection, ref: number): void {
    const error = errorInfo('cancelled');
    if (session.running.has(ref)) {
      this._settle(session, { type: 'reply', ref, error });
    } else {
      this._answer(ref, streams.delete(ref) ? error : errorInfo('not_found'));
    }
  }

  private _settle(session: ISession, reply: Reply): void {
    session.running.delete(reply.ref ?? -1);
    session.outcomes.set(reply.ref ?? -1, reply);
    if (this._connection?.session === session) {
      this.wire.push(reply);
    }
  }

  private _answer(ref: number | null, error: ErrorInfo): void {
    this.wire.push({ type: 'reply', ref, error });
  }

  private _run(ref: number): void {
    this.runs.set(ref, (this.runs.get(ref) ?? 0) + 1);
  }

  private _subscribe(
    ref: number | null,
    topic: string,
    since: NonNullable<Subscribe['since']>
  ): void {
    if (this.busy.has(topic)) {
      const details = { topic };
      this._answer(ref, errorInfo('busy', { retryable: true, details }));
      return;
    }
    const cursors = this._connection?.cursors;
    if (topic === UNLOGGED) {
      cursors?.set(topic, 0);
      const snapshot = this.value;
      this.wire.push(subscribed(ref, topic, null, { snapshot }));
      return;
    }
    const log = this.log(topic);
    const head = log.entries.length;
    const reset = typeof since === 'object' && !this._isWhole(topic, since);
    const asked = typeof since === 'object' ? since.offset : log.floor;
    const offset = since === 'latest' || reset ? head : asked;
    const reason = reset ? 'epoch' : null;
    cursors?.set(topic, offset);
    this.wire.push(
      subscribed(ref, topic, this._at(topic, offset), {
        ...{ status: reset ? 'reset' : 'ok', head, reason }
      })
    );
    this._catchUp(topic);
  }

  private _isWhole(topic: string, { epoch, offset, id }: Position): boolean {
    const log = this.log(topic);
    return (
      epoch === log.epoch &&
      offset >= log.floor &&
      offset <= log.entries.length &&
      id === this._at(topic, offset).id
    );
  }

  private _catchUp(topic: string): void {
    const { entries } = this.log(topic);
    const cursors = this._connection?.cursors;
    let cursor = cursors?.get(topic);
    for (let n = cursor ?? entries.length; n < entries.length; n++) {
      const entry = entries[n];
      if (entry?.mine && cursor !== undefined) {
        const prev = cursor === n ? {} : { prev: cursor };
        const { id } = entry;
        const at = { offset: n + 1, id, time: 0, ...prev };
        const data = 'x'.repeat((n * 977) % 5000);
        this.wire.push({ type: 'event', topic, kind: 'message', data, ...at });
        cursor = n + 1;
        cursors?.set(topic, cursor);
      }
    }
  }

  private _at(topic: string, offset: number): Position {
    const { epoch, entries } = this.log(topic);
    return { epoch, offset, id: entries[offset - 1]?.id ?? '' };
  }

  private _fresh(): ILog {
    return { epoch: `e${++this._ids}`, floor: 0, entries: [] };
  }

  private readonly _sessions = new Map<string, ISession>();
  private _connection: IConnection | null = null;
  private _ids = 0;
}
