/**
 * What a client session knows of its topics: which it follows, and where each one's events that have come end.
 * No socket, no timers: messages in, outcomes out.
 */
import { HubError } from './errors';
import { ClientMessage, Event, Position, Subscribed } from './generated';

/** Where a subscription starts. */
export type TopicSince = Position | 'earliest' | 'latest';

/** What is told of topics. */
export type TopicOutcome =
  | { type: 'event'; topic: string; event: Event }
  | {
      type: 'subscribed';
      topic: string;
      position: Position | null;
      /** The log's newest offset when the server answered; null without a log. */
      head: number | null;
      reset: boolean;
    }
  | {
      type: 'snapshot';
      topic: string;
      snapshot: unknown;
      reason: string | null;
    }
  | { type: 'live'; topic: string }
  | { type: 'refused'; topic: string; error: HubError }
  | { type: 'postponed'; topic: string; error: HubError };

interface ITopic {
  since: TopicSince;
  /** Where the events seen so far end; null before the first answer, and where the topic has no log. */
  position: Position | null;
  /** The server has answered the subscription at least once. */
  known: boolean;
  /** The `ref` of the subscription that is under way, null if it stands. */
  asking: number | null;
  /** Went into the hello of this connection, whose answer has not come. */
  greeted: boolean;
}

/** What the table needs of its session. */
export interface ITopicsOwner {
  isOpen(): boolean;
  nextRef(): number;
  send(message: ClientMessage): void;
}

export class TopicTable {
  constructor(private readonly _owner: ITopicsOwner) {}

  /** The subscriptions to go on with, for a hello. */
  positions(): { [topic: string]: Position | null } {
    const positions: { [topic: string]: Position | null } = {};
    this._greeted.clear();
    for (const [name, topic] of this._topics) {
      if (topic.known) {
        positions[name] = topic.position;
        topic.greeted = true;
        this._greeted.add(name);
      }
    }
    return positions;
  }

  /** The connection is open: ask for what the hello could not go on with. */
  opened(): void {
    for (const name of this._greeted) {
      if (!this._topics.has(name)) {
        const ref = this._owner.nextRef();
        this._owner.send({ type: 'unsubscribe', ref, topic: name });
      }
    }
    for (const [name, topic] of this._topics) {
      topic.asking = null;
      if (!topic.known) {
        this._ask(name, topic);
      }
    }
  }

  /** Follow a topic from now on. */
  subscribe(name: string, since: TopicSince): void {
    const topic = {
      since,
      position: null,
      known: false,
      asking: null,
      greeted: false
    };
    this._topics.set(name, topic);
    if (this._owner.isOpen()) {
      this._ask(name, topic);
    }
  }

  /** Where a subscription that was not answered yet starts; null if there is none such. */
  pendingSince(name: string): TopicSince | null {
    const topic = this._topics.get(name);
    return topic && !topic.known ? topic.since : null;
  }

  /** Where the events of a topic that have come so far end; null where that is not known. */
  position(name: string): Position | null {
    return this._topics.get(name)?.position ?? null;
  }

  /** Follow a topic no longer. */
  unsubscribe(name: string): void {
    if (this._topics.delete(name) && this._owner.isOpen()) {
      const ref = this._owner.nextRef();
      this._owner.send({ type: 'unsubscribe', ref, topic: name });
    }
  }

  /** An error came with this `ref`: the topic that it refuses, null if it is about something else. */
  refused(ref: number | null, error: HubError): TopicOutcome | null {
    const topic = this._topicOf(ref, error);
    if (topic === null) {
      return null;
    }
    const its = this._topics.get(topic);
    if (error.retryable && its) {
      its.asking = null;
      its.known = false;
      return { type: 'postponed', topic, error };
    }
    this._topics.delete(topic);
    return { type: 'refused', topic, error };
  }

  /** Ask again for a topic that the server could not serve for a while, unless that was done, or nobody follows it. */
  askAgain(name: string): void {
    const topic = this._topics.get(name);
    if (
      topic &&
      !topic.known &&
      topic.asking === null &&
      this._owner.isOpen()
    ) {
      this._ask(name, topic);
    }
  }

  /** The server answers a subscription, or resets one that stands. */
  subscribed(message: Subscribed): TopicOutcome[] {
    const topic = this._topics.get(message.topic);
    if (!topic || message.ref !== topic.asking) {
      return [];
    }
    if (message.ref === null && message.status === 'ok') {
      if (!topic.greeted && topic.position !== null) {
        return [];
      }
      topic.greeted = false;
    }
    topic.known = true;
    topic.asking = null;
    topic.position = message.position;
    const { position, head, snapshot, reason } = message;
    const reset = message.status === 'reset';
    const outcomes: TopicOutcome[] = [
      { type: 'subscribed', topic: message.topic, position, head, reset }
    ];
    if (reset || position === null) {
      outcomes.push({
        type: 'snapshot',
        topic: message.topic,
        snapshot,
        reason
      });
    }
    return outcomes;
  }

  /** An event has come; it is told if it continues the topic. */
  event(event: Event): TopicOutcome[] {
    const topic = this._topics.get(event.topic);
    if (!topic || !topic.known || topic.asking !== null) {
      return [];
    }
    const told: TopicOutcome = { type: 'event', topic: event.topic, event };
    if (event.offset === null || topic.position === null) {
      return [told];
    }
    const { offset, id } = event;
    const prev = event.prev ?? offset - 1;
    const moved = { epoch: topic.position.epoch, offset, id };
    return this.moved(event.topic, prev, moved) ? [told] : [];
  }

  /** Move a topic's position if the message continues it; a gap is repaired by asking from the position again. */
  moved(name: string, prev: number, position: Position): boolean {
    const topic = this._topics.get(name);
    if (!topic?.position || topic.asking !== null) {
      return false;
    }
    if (position.offset <= topic.position.offset) {
      return false;
    }
    if (prev > topic.position.offset) {
      this._ask(name, topic);
      return false;
    }
    topic.position = position;
    return true;
  }

  private _ask(name: string, topic: ITopic): void {
    topic.asking = this._owner.nextRef();
    this._owner.send({
      type: 'subscribe',
      ref: topic.asking,
      topic: name,
      since: topic.position ?? topic.since
    });
  }

  private _topicOf(ref: number | null, error: HubError): string | null {
    if (ref === null) {
      const topic = error.details?.['topic'];
      return typeof topic === 'string' && this._topics.has(topic)
        ? topic
        : null;
    }
    for (const [name, topic] of this._topics) {
      if (topic.asking === ref) {
        return name;
      }
    }
    return null;
  }

  private readonly _topics = new Map<string, ITopic>();
  private readonly _greeted = new Set<string>();
}
