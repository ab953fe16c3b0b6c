/**
 * Who in this tab follows which topic. The server has one subscription per topic and connection; here each subscriber
 * has its own cursor, so that one who comes late can ask for the past without the others seeing it again.
 */
import { DisposableDelegate, IDisposable } from '@lumino/disposable';

import { HubError } from '../protocol/errors';
import { Event, Position } from '../protocol/generated';
import { ClientSession, Outcome } from '../protocol/session';
import { Since } from '../tokens';

/** A subscriber without the types of its topic. */
export interface IRawSubscriber {
  /** The subscription stands, after a position of a logged topic (null without a log); or it was reset to one. */
  onSubscribed?(position: Position | null, reset: boolean): void;
  onEvent(event: Event): void;
  onSnapshot(snapshot: unknown, reason: string | null): void;
  onLive(): void;
  onError(error: HubError): void;
}

interface IFollower {
  subscriber: IRawSubscriber;
  /** The offset seen last; null until the server has told where `latest` is. */
  cursor: number | null;
  /** Was told that the subscription stands. */
  told: boolean;
}

const BEFORE_ALL = 0;

export class Subscriptions {
  /** `flush` sends what the session has to send. */
  constructor(
    private readonly _session: ClientSession,
    private readonly _flush: () => void
  ) {}

  /** Topics that somebody follows. */
  get topics(): string[] {
    return [...this._followers.keys()];
  }

  /** Follow a topic; dispose to stop. */
  subscribe(
    topic: string,
    subscriber: IRawSubscriber,
    since: Since
  ): IDisposable {
    const follower = { subscriber, cursor: cursorOf(since), told: false };
    const others = this._followers.get(topic);
    if (others) {
      others.add(follower);
      this._join(topic, follower, since);
    } else {
      this._followers.set(topic, new Set([follower]));
      this._session.subscribe(topic, since);
    }
    this._flush();
    return new DisposableDelegate(() => this._leave(topic, follower));
  }

  /** Take what the session tells of topics; true if it was that. */
  handle(outcome: Outcome): boolean {
    switch (outcome.type) {
      case 'event':
        this._event(outcome.topic, outcome.event);
        return true;
      case 'subscribed':
        this._live.delete(outcome.topic);
        this._subscribed(outcome);
        return true;
      case 'snapshot':
        this._each(outcome.topic, ({ subscriber }) =>
          subscriber.onSnapshot(outcome.snapshot, outcome.reason)
        );
        return true;
      case 'live':
        this._live.add(outcome.topic);
        this._each(outcome.topic, ({ subscriber }) => subscriber.onLive());
        return true;
      case 'refused':
        this.refuse(outcome.topic, outcome.error);
        return true;
      default:
        return false;
    }
  }

  /** Tell a topic's followers that nothing will come, and forget them. */
  refuse(topic: string, error: HubError): void {
    const followers = [...(this._followers.get(topic) ?? [])];
    this._followers.delete(topic);
    followers.forEach(({ subscriber }) =>
      guard(topic, () => subscriber.onError(error))
    );
  }

  /** Somebody comes to a topic that others follow: ask the server again only for what it would not send them. */
  private _join(topic: string, follower: IFollower, since: Since): void {
    const position = this._session.position(topic);
    const pending = this._session.pendingSince(topic);
    if (position === null && pending === null) {
      // Without a log: a new snapshot for everybody.
      this._session.subscribe(topic, since);
      return;
    }
    const standing = cursorOf(pending ?? position ?? 'latest');
    if (since === 'latest') {
      follower.cursor = pending === null ? standing : null;
    } else if (
      standing === null ||
      (cursorOf(since) ?? 0) < standing ||
      (typeof since === 'object' && since.epoch !== position?.epoch)
    ) {
      this._session.subscribe(topic, since);
    }
    if (position !== null && this._session.pendingSince(topic) === null) {
      follower.told = true;
      const from = typeof since === 'object' ? since : position;
      guard(topic, () => follower.subscriber.onSubscribed?.(from, false));
      if (this._live.has(topic)) {
        guard(topic, () => follower.subscriber.onLive());
      }
    }
  }

  private _leave(topic: string, follower: IFollower): void {
    const followers = this._followers.get(topic);
    if (followers?.delete(follower) && followers.size === 0) {
      this._followers.delete(topic);
      this._session.unsubscribe(topic);
      this._flush();
    }
  }

  /** Only a reset moves a cursor that stands: its offsets may start anew, below what was seen. */
  private _subscribed(outcome: Extract<Outcome, { type: 'subscribed' }>): void {
    const { topic, position, head, reset } = outcome;
    this._each(topic, follower => {
      if (position !== null && (reset || follower.cursor === null)) {
        const { offset } = position;
        follower.cursor = reset ? offset : Math.max(offset, head ?? offset);
      }
      if (reset || !follower.told) {
        follower.told = true;
        follower.subscriber.onSubscribed?.(position, reset);
      }
    });
  }

  private _event(topic: string, event: Event): void {
    this._each(topic, follower => {
      if (event.offset !== null) {
        if (follower.cursor === null || event.offset <= follower.cursor) {
          return;
        }
        follower.cursor = event.offset;
      }
      follower.subscriber.onEvent(event);
    });
  }

  /** Tell all followers; one that fails costs the others nothing. */
  private _each(topic: string, tell: (follower: IFollower) => void): void {
    for (const follower of [...(this._followers.get(topic) ?? [])]) {
      if (this._followers.get(topic)?.has(follower)) {
        guard(topic, () => tell(follower));
      }
    }
  }

  private readonly _live = new Set<string>();
  private readonly _followers = new Map<string, Set<IFollower>>();
}

function guard(topic: string, tell: () => void): void {
  try {
    tell();
  } catch (error) {
    console.error(`A subscriber of ${topic} failed.`, error);
  }
}

function cursorOf(since: Since): number | null {
  if (since === 'latest') {
    return null;
  }
  return since === 'earliest' ? BEFORE_ALL : since.offset;
}
