/**
 * The topics of the server in memory: logs with offsets, and what a subscription is answered.
 */
import {
  ErrorInfo,
  Event,
  Position,
  ServerMessage,
  Subscribe,
  Subscribed
} from '../protocol/generated';

export type SubscribeSince = Exclude<Subscribe['since'], undefined>;

/** A topic's log; `floor` is the offset up to which it was trimmed. */
export interface IFakeLog {
  epoch: string;
  floor: number;
  events: Event[];
}

/** An error as it stands on the wire. */
export function errorInfo(
  code: string,
  more: Partial<ErrorInfo> = {}
): ErrorInfo {
  return { code, message: `It is ${code}.`, retryable: false, ...more };
}

/** What a method's hook throws to answer with an error. */
export class Refusal extends Error {
  constructor(readonly info: ErrorInfo) {
    super(info.message);
  }
}

/** A place in a log as this server names it. */
export function positionAt(epoch: string, offset: number): Position {
  return { epoch, offset, id: offset === 0 ? '' : `${epoch}-${offset}` };
}

export class FakeTopics {
  readonly logs = new Map<string, IFakeLog>();
  /** Topics without a log: their snapshots. */
  readonly unlogged = new Map<string, unknown>();
  /** What a reset comes with. */
  readonly snapshots = new Map<string, unknown>();
  readonly refused = new Map<string, ErrorInfo>();

  log(topic: string): IFakeLog {
    const log = this.logs.get(topic) ?? { epoch: 'e1', floor: 0, events: [] };
    this.logs.set(topic, log);
    return log;
  }

  /** Append to a topic's log; only make the event where it has none. */
  append(topic: string, data: unknown, kind: string): Event {
    const event = { type: 'event', topic, kind, time: 0, data } as const;
    if (this.unlogged.has(topic)) {
      return { ...event, offset: null, id: 'x' };
    }
    const { epoch, floor, events } = this.log(topic);
    const offset = floor + events.length + 1;
    const logged = { ...event, offset, id: positionAt(epoch, offset).id };
    events.push(logged);
    return logged;
  }

  /** What a subscription is answered, with the replay. */
  answer(
    ref: number | null,
    topic: string,
    since: SubscribeSince = 'latest'
  ): ServerMessage[] {
    const refused = this.refused.get(topic);
    if (refused) {
      const details = ref === null ? { topic } : null;
      return [{ type: 'reply', ref, error: { ...refused, details } }];
    }
    const nothing = { position: null, head: null, reason: null };
    const snapshot = this.unlogged.get(topic) ?? null;
    const answer: Subscribed = {
      ...{ type: 'subscribed', ref, topic, status: 'ok', snapshot },
      ...nothing
    };
    const live = { type: 'live', topic } as const;
    return this.unlogged.has(topic)
      ? [answer, live]
      : [...this._replay(answer, this.log(topic), since), live];
  }

  private _replay(
    answer: Subscribed,
    log: IFakeLog,
    since: SubscribeSince
  ): ServerMessage[] {
    const head = log.floor + log.events.length;
    const at = (offset: number) => positionAt(log.epoch, offset);
    if (typeof since === 'object' && !isWhole(since, log, head)) {
      const snapshot = this.snapshots.get(answer.topic) ?? null;
      const reset = { status: 'reset', reason: 'epoch', snapshot } as const;
      return [{ ...answer, ...reset, position: at(head), head }];
    }
    const latest = since === 'earliest' ? log.floor : head;
    const offset = typeof since === 'object' ? since.offset : latest;
    const events = log.events.slice(offset - log.floor);
    return [{ ...answer, position: at(offset), head }, ...events];
  }
}

function isWhole(since: Position, log: IFakeLog, head: number): boolean {
  return (
    since.epoch === log.epoch &&
    since.offset >= log.floor &&
    since.offset <= head
  );
}
