/**
 * What subscribers on a model server have been told, checked against what its logs hold.
 */
import { Event, Position } from '../protocol/generated';
import { TopicOutcome } from '../protocol/topics';
import { ModelServer, UNLOGGED } from './modelServer';

interface IFollowed {
  /** Up to where it has seen everything; null before the first answer. */
  at: Position | null;
  /** A reset was told, whose snapshot comes next. */
  owed: boolean;
  /** The value of the topic without a log. */
  value: unknown;
}

/** Fail where a guarantee does not hold. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) {
    throw new Error(`Broken: ${what}`);
  }
}

export class ModelFollowers {
  constructor(private readonly _server: ModelServer) {}

  /** How often a subscriber was reset. */
  resets = 0;

  /** Somebody follows a topic; false if that is so already. */
  begin(topic: string): boolean {
    const isNew = !this._followed.has(topic);
    if (isNew) {
      this._followed.set(topic, { at: null, owed: false, value: null });
    }
    return isNew;
  }

  end(topic: string): void {
    this._followed.delete(topic);
  }

  /** Each event once and in order, or a reset with a snapshot. */
  told(
    outcome: Extract<
      TopicOutcome,
      { type: 'subscribed' | 'snapshot' | 'event' }
    >
  ): void {
    const { topic } = outcome;
    const follower = this._followed.get(topic);
    check(follower !== undefined, `nobody follows ${topic}`);
    if (outcome.type === 'snapshot') {
      follower.owed = false;
      follower.value = outcome.snapshot;
    } else if (outcome.type === 'event') {
      check(!follower.owed, `a snapshot of ${topic} comes before its events`);
      if (topic === UNLOGGED) {
        follower.value = outcome.event.data;
      } else {
        this._saw(follower, outcome.event);
      }
    } else if (outcome.reset || follower.at === null) {
      follower.owed = outcome.reset;
      follower.at = outcome.position;
      this.resets += outcome.reset ? 1 : 0;
    }
  }

  /** All has come. */
  settled(): void {
    for (const [topic, { at, value, owed }] of this._followed) {
      check(!owed, `the reset of ${topic} came with a snapshot`);
      if (topic === UNLOGGED) {
        check(value === this._server.value, `${topic} is up to date`);
      } else {
        const { offset } = this._server.head(topic);
        check(at?.offset === offset, `all of ${topic} has come`);
      }
    }
  }

  /** The next event that is for this subscriber, and no other one. */
  private _saw(follower: IFollowed, { topic, offset, id }: Event): void {
    const { epoch, entries } = this._server.log(topic);
    const { at } = follower;
    check(at !== null && at.epoch === epoch, `${topic} is of one epoch`);
    const next = entries.findIndex((one, n) => n >= at.offset && one.mine) + 1;
    check(offset === next, `${topic} goes on at ${next}, not ${offset}`);
    check(entries[offset - 1]?.id === id, `${topic} has ${id} at ${offset}`);
    follower.at = { epoch, offset, id };
  }

  private readonly _followed = new Map<string, IFollowed>();
}
