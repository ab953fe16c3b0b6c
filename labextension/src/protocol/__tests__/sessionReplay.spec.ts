import { pick, seeded } from '../../testing/random';
import {
  at,
  event,
  SessionRun,
  subscribed,
  WELCOME
} from '../../testing/sessions';
import { ClientMessage, Position, ServerMessage } from '../generated';
import { Outcome } from '../session';

const TOPIC = 'chat/a';

/** A server with one logged topic; some of its events are not for this subscriber. */
class ModelServer {
  /** Whether the event at offset n + 1 is for the subscriber. */
  readonly log: boolean[] = [];
  /** What is on its way to the client; only this is disturbed. */
  wire: ServerMessage[] = [];
  private _cursor: number | null = null;

  /** Offsets that the subscriber must see. */
  get wanted(): number[] {
    return this.log.flatMap((mine, n) => (mine ? [n + 1] : []));
  }

  publish(mine: boolean): void {
    this.log.push(mine);
    this._catchUp();
  }

  /** Move the subscriber over what was not for it. */
  move(): void {
    if (this._cursor !== null && this._cursor < this.log.length) {
      const prev = this._cursor;
      this._cursor = this.log.length;
      const position = at(this.log.length);
      this.wire.push({ type: 'position', topic: TOPIC, position, prev });
    }
  }

  take(message: ClientMessage): void {
    if (message.type === 'hello') {
      this.wire = [{ ...WELCOME, resumed: true }];
      this._cursor = null;
      const position = message.positions?.[TOPIC];
      if (position) {
        this._subscribe(null, position);
      }
    } else if (message.type === 'subscribe') {
      const { ref, since } = message;
      this._subscribe(ref, typeof since === 'object' ? since : at(0));
    }
  }

  private _subscribe(ref: number | null, since: Position): void {
    this.wire.push(subscribed(ref, TOPIC, since));
    this._cursor = since.offset;
    this._catchUp();
  }

  private _catchUp(): void {
    for (let n = this._cursor ?? this.log.length; n < this.log.length; n++) {
      if (this.log[n]) {
        const prev = this._cursor === n ? undefined : (this._cursor ?? 0);
        this.wire.push(event(TOPIC, n + 1, prev));
        this._cursor = n + 1;
      }
    }
  }
}

/** A session on a model server, and what it has told of. */
class Run extends SessionRun {
  readonly server = new ModelServer();
  readonly seen: number[] = [];

  constructor(readonly random: () => number) {
    super();
    this.session.subscribe(TOPIC, 'earliest');
    this.reconnect();
  }

  reconnect(): void {
    this.session.closed();
    this.server.take(this.open());
  }

  /** The next message arrives, and what the client answers. */
  deliver(): void {
    const message = this.server.wire.shift();
    if (message) {
      this.note(this.session.receive(JSON.stringify([message])));
      this.flush().forEach(one => this.server.take(one));
    }
  }

  drain(): void {
    while (this.server.wire.length > 0) {
      this.deliver();
    }
  }

  note(outcomes: Outcome[]): void {
    for (const outcome of outcomes) {
      if (outcome.type === 'event') {
        this.seen.push(outcome.event.offset ?? -1);
      }
    }
  }

  /** Do one random thing to what is on its way: only events and positions, which alone can be lost or late here. */
  disturb(): void {
    const { wire } = this.server;
    const n = pick(this.random, wire.length + 1);
    const one = wire[n];
    if (one?.type !== 'event' && one?.type !== 'position') {
      return;
    }
    const what = pick(this.random, 3);
    wire.splice(n, 1, ...(what === 0 ? [] : what === 1 ? [one, one] : []));
    if (what === 2) {
      wire.splice(n + 1 + pick(this.random, 3), 0, one);
    }
  }

  step(): void {
    const dice = this.random();
    if (dice < 0.3) {
      this.server.publish(this.random() < 0.6);
    } else if (dice < 0.35) {
      this.server.move();
    } else if (dice < 0.55) {
      this.disturb();
    } else if (dice < 0.6) {
      this.reconnect();
    } else {
      this.deliver();
    }
  }
}

describe('The events of a topic', () => {
  it('arrive exactly once and in order, whatever is cut, lost, doubled or reordered', () => {
    let repairs = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const run = new Run(seeded(seed));
      for (let n = 0; n < 150; n++) {
        run.step();
        const { length } = run.seen;
        if (run.seen[length - 1] !== run.server.wanted[length - 1]) {
          // Only now, because a comparison at each step takes long.
          const wanted = run.server.wanted.slice(0, length);
          expect({ seed, n, seen: run.seen }).toEqual({
            seed,
            n,
            seen: wanted
          });
        }
      }
      // What comes next shows every gap that is left, and its repair fills it.
      run.drain();
      run.server.publish(true);
      run.drain();
      const { seen, server } = run;
      expect({ seed, seen }).toEqual({ seed, seen: server.wanted });
      repairs += run
        .got('subscribe')
        .filter(one => one.since !== 'earliest').length;
    }
    expect(repairs).toBeGreaterThan(300);
  });

  it('cost one repair per gap, not one per event behind it', () => {
    const run = new Run(seeded(1));
    run.drain();
    for (let n = 0; n < 20; n++) {
      run.server.publish(true);
    }
    run.server.wire.splice(5, 1);
    run.drain();
    expect(run.seen).toEqual(run.server.wanted);
    expect(run.got('subscribe').map(one => one.since)).toEqual([
      'earliest',
      at(5)
    ]);
  });
});
