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

  it('that come while a repair is under way wait for it', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe(TOPIC, 'latest');
    run.give(subscribed(ref, TOPIC, at(5)));
    expect(run.give(event(TOPIC, 7))).toEqual([]);
    expect(run.give(event(TOPIC, 8))).toEqual([]);
    const repair = run.got('subscribe')[1];
    expect(repair).toMatchObject({ topic: TOPIC, since: at(5) });
    const answer = subscribed(repair?.ref ?? null, TOPIC, at(5));
    const all = [6, 7, 8].map(n => event(TOPIC, n));
    expect(run.give(answer, ...all).map(one => one.type)).toEqual([
      'subscribed',
      'event',
      'event',
      'event'
    ]);
  });

  it('may skip what was not for this subscriber', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe(TOPIC, 'latest');
    run.give(subscribed(ref, TOPIC, at(5)));
    expect(run.give(event(TOPIC, 9, 5))).toHaveLength(1);
    run.give({ type: 'position', topic: TOPIC, position: at(12), prev: 9 });
    expect(run.give(event(TOPIC, 13))).toHaveLength(1);
    expect(run.got('subscribe')).toHaveLength(1);
    expect(run.session.position(TOPIC)).toEqual(at(13));
  });

  it('of a topic without a log are all told', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe('status', 'latest');
    const told = run.give(subscribed(ref, 'status', null, { snapshot: [1] }));
    expect(told.map(one => one.type)).toEqual(['subscribed', 'snapshot']);
    const one = { ...event('status', 1), offset: null, id: 'x' };
    expect(run.give(one, one)).toHaveLength(2);
    run.session.closed();
    expect(run.open()).toMatchObject({ positions: { status: null } });
  });

  it('of a topic that nobody follows are not told', () => {
    const run = new SessionRun();
    run.connect();
    expect(run.give(event(TOPIC, 1))).toEqual([]);
    const ref = run.subscribe(TOPIC, 'latest');
    run.session.unsubscribe(TOPIC);
    expect(run.flush()).toMatchObject([{ type: 'unsubscribe', topic: TOPIC }]);
    expect(run.give(subscribed(ref, TOPIC, at(1)))).toEqual([]);
    expect(run.give(event(TOPIC, 2))).toEqual([]);
  });
});

describe('The positions in a hello', () => {
  it('are those of every topic whose position is known', () => {
    const run = new SessionRun();
    run.connect();
    const a = run.subscribe('chat/a', 'latest');
    run.subscribe('chat/b', 'earliest');
    run.give(subscribed(a, 'chat/a', at(5)), event('chat/a', 6));
    run.session.closed();
    expect(run.open()).toMatchObject({ positions: { 'chat/a': at(6) } });
    run.give(WELCOME, subscribed(null, 'chat/a', at(6)));
    const [, , again] = run.got('subscribe');
    expect(again).toMatchObject({ topic: 'chat/b', since: 'earliest' });
    expect(run.give(event('chat/a', 7))).toHaveLength(1);
  });

  it('are known from the answer alone: a quiet topic loses nothing either', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe(TOPIC, 'latest');
    run.give(subscribed(ref, TOPIC, at(41)));
    run.session.closed();
    expect(run.open()).toMatchObject({ positions: { [TOPIC]: at(41) } });
  });

  it('that are too old are answered by a reset with a snapshot', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe(TOPIC, 'latest');
    run.give(subscribed(ref, TOPIC, at(41)));
    run.session.closed();
    run.open();
    const anew = { epoch: 'f', offset: 3, id: 'n3' };
    const reset = { status: 'reset', reason: 'epoch', snapshot: [9] } as const;
    const outcomes = run.give(WELCOME, subscribed(null, TOPIC, anew, reset));
    expect(outcomes.slice(1)).toEqual([
      {
        type: 'subscribed',
        topic: TOPIC,
        position: anew,
        head: null,
        reset: true
      },
      { type: 'snapshot', topic: TOPIC, snapshot: [9], reason: 'epoch' }
    ]);
    expect(run.give({ ...event(TOPIC, 4), id: 'n4' })).toHaveLength(1);
    expect(run.session.position(TOPIC)).toMatchObject({
      epoch: 'f',
      offset: 4
    });
  });

  it('do not stand in the way of who asks for the past just then', () => {
    const run = new SessionRun();
    run.connect();
    run.give(subscribed(run.subscribe(TOPIC, 'latest'), TOPIC, at(2)));
    run.session.closed();
    run.open();
    // Somebody who comes late asks for everything, while the answer to the hello is on its way.
    run.session.subscribe(TOPIC, 'earliest');
    run.give(WELCOME, subscribed(null, TOPIC, at(2)));
    const asked = run.got('subscribe')[1];
    expect(asked).toMatchObject({ since: 'earliest' });
    const past = [1, 2, 3].map(n => event(TOPIC, n));
    const told = run.give(
      subscribed(asked?.ref ?? null, TOPIC, at(0)),
      ...past
    );
    expect(told.filter(one => one.type === 'event')).toHaveLength(3);
  });
});

describe('A topic that the server refuses', () => {
  const error = { code: 'forbidden', message: 'No.', retryable: false };

  it('is told once and not asked for again', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe('chat/a', 'latest');
    expect(run.give({ type: 'reply', ref, error })).toMatchObject([
      { type: 'refused', topic: 'chat/a', error: { code: 'forbidden' } }
    ]);
    run.session.closed();
    expect(run.open()).toMatchObject({ positions: {} });
    expect(run.give(WELCOME)).toHaveLength(1);
    expect(run.got('subscribe')).toHaveLength(1);
  });

  it('at a resume is found by the details of the error', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe('chat/a', 'latest');
    run.give(subscribed(ref, 'chat/a', at(3)), event('chat/a', 4));
    run.session.closed();
    expect(run.open()).toMatchObject({ positions: { 'chat/a': at(4) } });
    const gone = { ...error, details: { topic: 'chat/a' } };
    expect(
      run.give(WELCOME, { type: 'reply', ref: null, error: gone })
    ).toMatchObject([
      { type: 'welcome' },
      { type: 'refused', topic: 'chat/a' }
    ]);
  });

  it('is none where the error has another topic, or none', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe('chat/a', 'latest');
    run.give(subscribed(ref, 'chat/a', at(3)));
    const other = { ...error, details: { topic: 'chat/b' } };
    expect(run.give({ type: 'reply', ref: null, error: other })).toEqual([]);
    expect(run.give({ type: 'reply', ref: null, error })).toEqual([]);
    expect(run.give(event('chat/a', 4))).toMatchObject([{ type: 'event' }]);
  });
});
