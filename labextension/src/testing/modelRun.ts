/**
 * A client session on a model server, under everything that can happen to a connection. Every step is checked against
 * the guarantees; what breaks one is thrown as an error that names it.
 */
import { ClientMessage } from '../protocol/generated';
import { ACK_CHARACTERS } from '../protocol/receipts';
import { ClientSession, Outcome } from '../protocol/session';
import { check, ModelFollowers } from './modelFollowers';
import {
  IDEMPOTENT_ONE,
  itemsOf,
  ModelServer,
  PLAIN,
  STREAMED,
  TOPICS,
  UNLOGGED
} from './modelServer';
import { pick } from './random';

const METHODS = [PLAIN, IDEMPOTENT_ONE, STREAMED] as const;

interface IRequested {
  method: string;
  outcomes: number;
  items: number;
  /** What was sent for it. */
  text: string | null;
  cancelled: boolean;
}

export class ModelRun {
  readonly server = new ModelServer();
  readonly session = new ClientSession({ name: 'test', version: '1' });
  readonly requests = new Map<number, IRequested>();
  readonly followers = new ModelFollowers(this.server);
  /** How often things happened, so that a test can see that they did. */
  readonly counts = { repairs: 0, again: 0, unknown: 0, acks: 0 };

  constructor(private readonly _random: () => number) {
    this.open();
  }

  /** Do one random thing. */
  step(): void {
    const dice = this._random();
    if (dice < 0.28) {
      this.deliver();
    } else if (dice < 0.54) {
      this.ascend();
    } else if (dice < 0.78) {
      this._serve();
    } else if (dice < 0.88) {
      this._want();
    } else if (dice < 0.95) {
      this._disturb();
    } else if (dice < 0.97) {
      this.cut();
      this._maybe(0.7, () => this.open());
    } else if (dice < 0.975) {
      this.server.restart(this._one(['sessions', 'epochs', 'tails']));
      this.cut();
    } else if (!this._isUp) {
      this.open();
    }
  }

  /** Let everything end, and check that it has. */
  settle(): void {
    this.server.busy.clear();
    if (!this._isUp) {
      this.open();
    }
    this._drain();
    // What comes next shows every gap that is left.
    TOPICS.forEach(topic => this.server.publish(topic, true));
    this._drain();
    for (const [ref, { method, outcomes, items, text }] of this.requests) {
      check(outcomes === 1, `request ${ref} has one outcome, not ${outcomes}`);
      const runs = this.server.runs.get(ref) ?? 0;
      check(method !== PLAIN || runs <= 1, `request ${ref} ran ${runs} times`);
      check(text !== null || runs === 0, `request ${ref} ran unsent`);
      check(items <= itemsOf(ref), `request ${ref} has too many items`);
    }
    this.followers.settled();
  }

  open(): void {
    this.cut();
    this._isUp = true;
    this._isGreeted = false;
    this._frames = this._lastAck = this._characters = 0;
    this._up = JSON.parse(this.session.opened()) as ClientMessage[];
  }

  cut(): void {
    this._isUp = this._isGreeted = false;
    this._up = [];
    this.session.closed();
    this.server.cut();
  }

  /** Some of what the server has sent arrives in one frame. */
  deliver(): void {
    const { wire } = this.server;
    const messages = wire.splice(0, 1 + pick(this._random, 5));
    if (messages.length > 0) {
      const text = JSON.stringify(messages);
      this._frames += 1;
      this._characters += text.length;
      this.session.receive(text).forEach(outcome => this._told(outcome));
      this._flush();
      check(this._characters < ACK_CHARACTERS, 'frames are acknowledged');
    }
  }

  /** Something that the client has sent arrives at the server. */
  ascend(): void {
    const message = this._up.shift();
    if (message) {
      this.server.take(message);
      const { ackedFrames, done } = this.server;
      check(ackedFrames <= this._frames, 'only what came is acknowledged');
      for (const [ref, { outcomes }] of this.requests) {
        check(ref > done || outcomes === 1, `${done} covers ${ref}`);
      }
    }
  }

  private _drain(): void {
    for (let idle = 0; idle < 3; idle++) {
      while (this._up.length > 0 || this.server.wire.length > 0) {
        idle = 0;
        this.ascend();
        this.deliver();
      }
      this.server.finish();
      this.server.stream();
      this._askAgain();
      this._flush();
      idle = this.server.isBusy ? 0 : idle;
    }
  }

  /** The server does something. */
  private _serve(): void {
    const topic = this._one(TOPICS);
    const dice = pick(this._random, 16);
    if (dice < 6) {
      this.server.publish(topic, this._random() < 0.6);
    } else if (dice < 9) {
      this.server.stream();
    } else if (dice < 11) {
      this.server.finish();
    } else if (topic !== UNLOGGED && dice < 13) {
      this.server.move(topic);
    } else if (topic !== UNLOGGED && dice === 13) {
      this._maybe(0.3, () => this.server.trim(topic));
      this._maybe(0.1, () => this.server.reset(topic));
    } else if (dice === 14) {
      this._maybe(0.3, () => this.server.busy.add(topic));
      this._maybe(0.7, () => this.server.busy.clear());
    } else if (this._isGreeted) {
      this.server.wire.push({ type: 'ping', t: 1 });
    }
  }

  /** Somebody here wants something. */
  private _want(): void {
    const topic = this._one(TOPICS);
    const dice = pick(this._random, 10);
    if (dice < 5) {
      const method = this._one(METHODS);
      const ref = this.session.request(method, {}, null, method === STREAMED);
      const highest = Math.max(0, ...this.requests.keys());
      check(ref > highest, 'refs rise');
      const nothing = { outcomes: 0, items: 0, text: null, cancelled: false };
      this.requests.set(ref, { method, ...nothing });
    } else if (dice < 6) {
      const ref = 1 + pick(this._random, this.requests.size * 2 + 1);
      const requested = this.requests.get(ref);
      if (this.session.cancel(ref)) {
        this._settled(ref);
      } else if (requested) {
        requested.cancelled = true;
      }
    } else if (dice < 8) {
      const since = this._one(['earliest', 'latest']);
      if (this.followers.begin(topic)) {
        this.session.subscribe(topic, since);
      }
    } else if (dice < 9) {
      this._askAgain();
    } else {
      this._maybe(0.3, () => {
        this.session.unsubscribe(topic);
        this.followers.end(topic);
      });
    }
    this._flush();
  }

  private _askAgain(): void {
    this._postponed.forEach(topic => this.session.askAgain(topic));
    this._postponed.clear();
  }

  /** What is on its way comes twice, or is left out where the protocol can see that. */
  private _disturb(): void {
    const { wire } = this.server;
    const loses = this._random() < 0.5;
    const one = this._one(
      wire.filter(
        ({ type }) =>
          type === 'position' ||
          type === 'event' ||
          (!loses && (type === 'reply' || type === 'item' || type === 'live'))
      )
    );
    if (one && !('topic' in one && one.topic === UNLOGGED)) {
      wire.splice(wire.indexOf(one), 1, ...(loses ? [] : [one, one]));
    }
  }

  private _told(outcome: Outcome): void {
    switch (outcome.type) {
      case 'welcome':
        this._isGreeted = true;
        break;
      case 'result':
      case 'error':
        this._answered(outcome);
        break;
      case 'item': {
        const requested = this.requests.get(outcome.ref);
        check(requested?.outcomes === 0, 'items come before the end');
        check(outcome.n === requested.items, 'items come once and in order');
        check(outcome.data === outcome.n, 'items are the right ones');
        requested.items += 1;
        break;
      }
      case 'postponed':
        this._postponed.add(outcome.topic);
        break;
      case 'subscribed':
      case 'snapshot':
      case 'event':
        this.followers.told(outcome);
        break;
      default:
        break;
    }
  }

  private _answered(
    outcome: Extract<Outcome, { type: 'result' | 'error' }>
  ): void {
    const { ref } = outcome;
    const requested = this.requests.get(ref);
    this._settled(ref);
    if (outcome.type === 'result' && requested?.method === STREAMED) {
      const complete = requested.items === itemsOf(ref);
      check(complete || requested.cancelled, `all items of ${ref} have come`);
    }
    if (outcome.type === 'error') {
      const { code } = outcome.error;
      if (code === 'unknown_outcome') {
        check(requested?.method === PLAIN, 'what may run again is run again');
        this.counts.unknown += 1;
      } else {
        check(requested?.cancelled === true, `nobody caused ${code}`);
      }
    }
  }

  private _settled(ref: number): void {
    const requested = this.requests.get(ref);
    check(requested?.outcomes === 0, `request ${ref} has one outcome`);
    requested.outcomes += 1;
  }

  /** What the client wants to send goes on its way. */
  private _flush(): void {
    for (let frame = this.session.takeFrame(); frame !== null;) {
      for (const message of JSON.parse(frame) as ClientMessage[]) {
        check(this._isGreeted, 'nothing is said before the welcome');
        this._sends(message);
      }
      frame = this.session.takeFrame();
    }
  }

  private _sends(message: ClientMessage): void {
    this._up.push(message);
    if (message.type === 'ack' && message.frames !== undefined) {
      check(message.frames > this._lastAck, 'no frame is acknowledged twice');
      check(message.frames === this._frames, 'all frames are acknowledged');
      this._lastAck = message.frames;
      this._characters = 0;
      this.counts.acks += 1;
    } else if (message.type === 'request') {
      const text = JSON.stringify(message);
      const requested = this.requests.get(message.ref);
      check(requested !== undefined, `${message.ref} was asked for`);
      check(
        (requested.text ?? text) === text,
        'what is sent again is the same'
      );
      this.counts.again += requested.text === null ? 0 : 1;
      if (requested.text === null) {
        this._newRef(message.ref);
      }
      requested.text = text;
    } else if (message.type === 'subscribe' || message.type === 'unsubscribe') {
      this._newRef(message.ref);
      const since = message.type === 'subscribe' && message.since;
      this.counts.repairs += typeof since === 'object' ? 1 : 0;
    }
  }

  private _newRef(ref: number): void {
    check(ref > this._lastRef, `${ref} is above ${this._lastRef}`);
    this._lastRef = ref;
  }

  private _one<const T extends readonly unknown[]>(of: T): T[number] {
    return of[pick(this._random, of.length)];
  }

  private _maybe(chance: number, what: () => void): void {
    if (this._random() < chance) {
      what();
    }
  }

  /** What is on its way to the server. */
  private _up: ClientMessage[] = [];
  private readonly _postponed = new Set<string>();
  private _isUp = false;
  private _isGreeted = false;
  private _frames = 0;
  private _lastAck = 0;
  private _lastRef = 0;
  /** Characters that came since the last acknowledgement. */
  private _characters = 0;
}
