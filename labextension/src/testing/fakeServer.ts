/**
 * A server in memory that speaks just enough of the hub protocol; terminals and file streams by `onOpen` and `onFrame`.
 */
import { Connect } from '../connections/transport';
import {
  ClientMessage,
  ErrorInfo,
  Hello,
  Reply,
  Request,
  ServerMessage
} from '../protocol/generated';
import { FakeSocket, Frame, ILine, IServe } from './fakeSocket';
import { FakeStreams } from './fakeStreams';
import { errorInfo, FakeTopics, Refusal } from './fakeTopics';

interface ISession {
  resume: string;
  outcomes: Map<number, Reply>;
  running: Set<number>;
  socket: FakeSocket;
}

type Kind<T> = Extract<ClientMessage, { type: T }>;

export class FakeServer implements ILine {
  latencyMs = 1;
  silent = false;
  refusing = false;
  refuses = (_: FakeSocket): boolean => false;
  browserGivesUp = true;
  /** These go out with `welcome`. */
  heartbeat = { interval_ms: 25_000, grace_ms: 10_000 };
  limits = { frame_bytes: 1024 * 1024, requests_in_flight: 64, topics: 256 };
  /** Every attempt to connect, in order. */
  readonly sockets: FakeSocket[] = [];
  /** Every message of the hub protocol that arrived, over all connections. */
  readonly messages: ClientMessage[] = [];
  /** Every call that was executed. */
  readonly calls: Request[] = [];
  readonly topics = new FakeTopics();
  readonly streams = new FakeStreams((...one) => this.give(...one));
  /** Clear it, and nobody can resume. */
  readonly sessions = new Map<string, ISession>();
  /** A method's result, or a promise of it; without a hook it is null. */
  readonly methods = new Map<string, (params: unknown) => unknown>();
  /** Sees a message of the hub protocol first; true means that it was dealt with. */
  onMessage = (_: FakeSocket, __: ClientMessage): boolean => false;
  /** A socket with another path than `/ws` has opened. */
  onOpen = (_: FakeSocket): unknown => null;
  /** A frame came on such a socket. */
  onFrame = (_: FakeSocket, __: Frame): unknown => null;

  /** The subprotocol that the server selects of what a client offers. */
  select = (subprotocol: string): string => subprotocol;

  readonly connect: Connect = (path, subprotocol, events, address) => {
    const isHub = path.length === 0;
    const serve: IServe = {
      opened: one => isHub || this.onOpen(one),
      received: (one, frame) =>
        isHub ? this._frame(one, frame) : this.onFrame(one, frame)
    };
    const socket = new FakeSocket(
      ...([path, this.select(subprotocol ?? ''), events] as const),
      ...([this, serve, address, subprotocol ?? ''] as const)
    );
    this.sockets.push(socket);
    return socket;
  };

  /** The newest socket. */
  get last(): FakeSocket {
    const socket = this.sockets[this.sockets.length - 1];
    if (!socket) {
      throw new Error('Nothing has connected.');
    }
    return socket;
  }

  /** The messages of one type. */
  got<T extends ClientMessage['type']>(type: T): Kind<T>[] {
    return this.messages.filter((one): one is Kind<T> => one.type === type);
  }

  /** Send messages as one frame. */
  give(socket: FakeSocket, ...messages: ServerMessage[]): void {
    socket.give(JSON.stringify(messages));
  }

  /** Append to a topic's log, if it has one, and tell who follows. */
  publish(topic: string, data: unknown, kind = 'message'): void {
    const event = this.topics.append(topic, data, kind);
    this.sockets
      .filter(socket => socket.topics.has(topic) && !socket.isOver)
      .forEach(socket => this.give(socket, event));
  }

  private _frame(socket: FakeSocket, frame: Frame): void {
    for (const message of JSON.parse(String(frame)) as ClientMessage[]) {
      this.messages.push(message);
      if (!this.onMessage(socket, message)) {
        this._take(socket, message);
      }
    }
  }

  private _take(socket: FakeSocket, message: ClientMessage): void {
    switch (message.type) {
      case 'hello':
        this._hello(socket, message);
        break;
      case 'subscribe':
        this._subscribe(socket, message.ref, message.topic, message.since);
        break;
      case 'unsubscribe':
        socket.topics.delete(message.topic);
        this.give(socket, { type: 'reply', ref: message.ref });
        break;
      case 'request':
        this._request(socket, message);
        break;
      case 'ack':
        socket.ackedFrames = message.frames ?? socket.ackedFrames;
        this.streams.pump();
        break;
      case 'cancel':
        this._cancel(socket, message.ref);
        break;
      case 'ping':
        this.give(socket, { type: 'pong', t: message.t });
        break;
      case 'bye':
        this.sessions.delete(socket.session ?? '');
        socket.end(1000);
        break;
      default:
        break;
    }
  }

  private _hello(socket: FakeSocket, hello: Hello): void {
    const known = this.sessions.get(hello.session ?? '');
    const resumed = known !== undefined && known.resume === hello.resume;
    const session = resumed ? String(hello.session) : `s${this.sockets.length}`;
    const resume = `r${this.sockets.length}`;
    const fresh = { outcomes: new Map(), running: new Set<number>() };
    this.sessions.set(session, {
      ...(resumed ? known : fresh),
      ...{ resume, socket }
    });
    socket.session = session;
    const { heartbeat, limits } = this;
    this.give(socket, {
      ...{ type: 'welcome', session, resume, resumed, heartbeat, limits },
      ...{ server: 'fake', principal: 'me' }
    });
    for (const [topic, since] of Object.entries(hello.positions ?? {})) {
      this._subscribe(socket, null, topic, since ?? undefined);
    }
  }

  private _subscribe(
    socket: FakeSocket,
    ...asked: Parameters<FakeTopics['answer']>
  ): void {
    const answers = this.topics.answer(...asked);
    if (answers[0]?.type === 'subscribed') {
      socket.topics.add(asked[1]);
    }
    this.give(socket, ...answers);
  }

  private _cancel(socket: FakeSocket, ref: number): void {
    const error = errorInfo('cancelled');
    if (!this.streams.cancel(socket, ref, error)) {
      this._settle(socket.session, ref, error, null);
    }
  }

  private _request(socket: FakeSocket, request: Request): void {
    const { ref, method, params } = request;
    if (this.streams.request(socket, request)) {
      return;
    }
    const session = this.sessions.get(socket.session ?? '');
    const outcome = session?.outcomes.get(ref);
    if (outcome) {
      this.give(socket, outcome);
    } else if (session && !session.running.has(ref)) {
      session.running.add(ref);
      this.calls.push(request);
      void this._call(method, params).then(([error, result]) =>
        this._settle(socket.session, ref, error, result)
      );
    }
  }

  private async _call(
    method: string,
    params: unknown
  ): Promise<[ErrorInfo | null, unknown]> {
    try {
      return [null, (await this.methods.get(method)?.(params)) ?? null];
    } catch (error) {
      return [error instanceof Refusal ? error.info : errorInfo('bug'), null];
    }
  }

  private _settle(
    id: string | null,
    ref: number,
    error: ErrorInfo | null,
    result: unknown
  ): void {
    const session = this.sessions.get(id ?? '');
    if (session?.running.delete(ref)) {
      const reply: Reply = { type: 'reply', ref, result, error };
      session.outcomes.set(ref, reply);
      if (!session.socket.isOver) {
        this.give(session.socket, reply);
      }
    }
  }
}
