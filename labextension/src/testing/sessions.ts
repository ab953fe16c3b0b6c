/**
 * A client session without a socket, and frames of a server for it.
 */
import {
  ClientMessage,
  Event,
  Hello,
  Position,
  ServerMessage,
  Subscribed,
  Welcome
} from '../protocol/generated';
import { ClientSession, Outcome } from '../protocol/session';

export const WELCOME: Welcome = {
  type: 'welcome',
  session: 's1',
  resume: 'r1',
  resumed: false,
  server: 'test',
  principal: 'me',
  heartbeat: { interval_ms: 25_000, grace_ms: 10_000 },
  limits: { frame_bytes: 1024 * 1024, requests_in_flight: 64, topics: 256 }
};

/** Offset `offset` of the epoch `e`. */
export function at(offset: number): Position {
  return { epoch: 'e', offset, id: offset === 0 ? '' : `m${offset}` };
}

export function event(topic: string, offset: number, prev?: number): Event {
  const time = 0;
  const kind = 'message';
  const common = { type: 'event', topic, kind, time, data: offset } as const;
  const { id } = at(offset);
  return { ...common, offset, id, ...(prev === undefined ? {} : { prev }) };
}

export function subscribed(
  ref: number | null,
  topic: string,
  position: Position | null,
  more: Partial<Subscribed> = {}
): Subscribed {
  return {
    type: 'subscribed',
    ref,
    topic,
    position,
    ...{ status: 'ok', head: null, reason: null, snapshot: null, ...more }
  };
}

/** Drives a session: every frame that it wants to send is taken at once. */
export class SessionRun {
  readonly session = new ClientSession({ name: 'test', version: '1' });
  /** Every message sent, over all connections. */
  readonly sent: ClientMessage[] = [];

  /** Open a connection; gives the hello. */
  open(): Hello {
    const [hello] = JSON.parse(this.session.opened()) as Hello[];
    return hello!;
  }

  /** Open a connection and be welcomed; gives the outcomes. */
  connect(welcome: Partial<Welcome> = {}): Outcome[] {
    this.open();
    return this.give({ ...WELCOME, ...welcome });
  }

  give(...messages: ServerMessage[]): Outcome[] {
    const outcomes = this.session.receive(JSON.stringify(messages));
    this.flush();
    return outcomes;
  }

  /** Take what waits to be sent; gives it. */
  flush(): ClientMessage[] {
    const before = this.sent.length;
    for (let frame = this.session.takeFrame(); frame !== null;) {
      this.sent.push(...(JSON.parse(frame) as ClientMessage[]));
      frame = this.session.takeFrame();
    }
    return this.sent.slice(before);
  }

  /** Send a request; gives its ref. */
  request(method: string, params: unknown = {}): number {
    const ref = this.session.request(method, params, null);
    this.flush();
    return ref;
  }

  /** Follow a topic; gives the ref of the question, null if it was not asked yet. */
  subscribe(topic: string, since: Position | 'earliest' | 'latest'): number {
    this.session.subscribe(topic, since);
    const asked = this.flush().find(one => one.type === 'subscribe');
    return asked?.type === 'subscribe' ? asked.ref : -1;
  }

  /** The messages sent of one type. */
  got<T extends ClientMessage['type']>(
    type: T
  ): Array<Extract<ClientMessage, { type: T }>> {
    return this.sent.filter(
      (one): one is Extract<ClientMessage, { type: T }> => one.type === type
    );
  }
}
