/**
 * Who in this tab follows which topic. The server has one subscription per topic and connection; here each subscriber
 * has its own cursor, so that one who comes late can ask for the past without the others seeing it again.
 */
import { DisposableDelegate, IDisposable } from '@lumino/disposable';

import { HubError } from '../protocol/errors';
import { Event } from '../protocol/generated';
import { ClientSession, Outcome } from '../protocol/session';
import { Since } from '../tokens';

/** A subscriber without the types of its topic. */
export interface IRawSubscriber {
  onEvent(event: Event): void;
  onSnapshot(snapshot: unknown, reason: string | null): void;
  onLive(): void;
  onError(error: HubError): void;
}

interface IFollower {
  subscriber: IRawSubscriber;
  /** The offset seen last; null until the server has told where `latest` is. */
  cursor: number | null;
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
    const follower = { subscriber, cursor: cursorOf(since) };
    const others = this._followers.get(topic);
    const position = this._session.position(topic);
    if (!others) {
      this._followers.set(topic, new Set([follower]));
      this._session.subscribe(topic, since);
    } else {
      others.add(follower);
      if (since === 'latest' && position !== null) {
        follower.cursor = position.offset;
      } else {
        this._session.subscribe(topic, since);
      }
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
        if (outcome.position !== null) {
          const { offset } = outcome.position;
          this._subscribed(outcome.topic, offset, outcome.reset);
        }
        return true;
      case 'snapshot':
        this._each(outcome.topic, ({ subscriber }) =>
          subscriber.onSnapshot(outcome.snapshot, outcome.reason)
        );
        return true;
      case 'live':
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
    const followers = this._followers.get(topic);
    this._followers.delete(topic);
    followers?.forEach(({ subscriber }) => subscriber.onError(error));
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
  private _subscribed(topic: string, offset: number, reset: boolean): void {
    this._each(topic, follower => {
      if (reset || follower.cursor === null) {
        follower.cursor = offset;
      }
    });
  }

  private _event(topic: string, event: Event): void {
    this._each(topic, follower => {
      if (event.offset !== null) {
        if (follower.cursor !== null && event.offset <= follower.cursor) {
          return;
        }
        follower.cursor = event.offset;
      }
      follower.subscriber.onEvent(event);
    });
  }

  private _each(topic: string, tell: (follower: IFollower) => void): void {
    for (const follower of [...(this._followers.get(topic) ?? [])]) {
      tell(follower);
    }
  }

  private readonly _followers = new Map<string, Set<IFollower>>();
}

function cursorOf(since: Since): number | null {
  if (since === 'latest') {
    return null;
  }
  return since === 'earliest' ? BEFORE_ALL : since.offset;
}
