import {
  at,
  event,
  SessionRun,
  subscribed,
  WELCOME
} from '../../testing/sessions';

const TOPIC = 'chat/a';

describe('The events of a topic', () => {
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
    expect(run.open().positions).toEqual({ status: null });
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
    expect(run.open().positions).toEqual({ 'chat/a': at(6) });
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
    expect(run.open().positions).toEqual({ [TOPIC]: at(41) });
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

  it('are not gone back to when their answer comes after a newer one', () => {
    const run = new SessionRun();
    run.connect();
    run.give(subscribed(run.subscribe(TOPIC, 'latest'), TOPIC, at(2)));
    run.session.closed();
    run.open();
    run.session.subscribe(TOPIC, 'earliest');
    run.give(WELCOME);
    const ref = run.got('subscribe')[1]?.ref ?? null;
    // The server looks up an anchor for the one, and none for the other: the newer question can be faster.
    run.give(subscribed(ref, TOPIC, at(0)), subscribed(null, TOPIC, at(2)));
    const told = run.give(...[1, 2, 3].map(n => event(TOPIC, n)));
    expect(told.filter(one => one.type === 'event')).toHaveLength(3);
  });

  it('of a topic that was left meanwhile are taken back', () => {
    const run = new SessionRun();
    run.connect();
    run.give(subscribed(run.subscribe(TOPIC, 'latest'), TOPIC, at(2)));
    run.session.closed();
    run.open();
    run.session.unsubscribe(TOPIC);
    run.give(WELCOME, subscribed(null, TOPIC, at(2)));
    expect(run.got('unsubscribe')).toMatchObject([{ topic: TOPIC }]);
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
    expect(run.open().positions).toEqual({});
    expect(run.give(WELCOME)).toHaveLength(1);
    expect(run.got('subscribe')).toHaveLength(1);
  });

  it('at a resume is found by the details of the error', () => {
    const run = new SessionRun();
    run.connect();
    const ref = run.subscribe('chat/a', 'latest');
    run.give(subscribed(ref, 'chat/a', at(3)), event('chat/a', 4));
    run.session.closed();
    expect(run.open().positions).toEqual({ 'chat/a': at(4) });
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
