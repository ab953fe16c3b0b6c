import { MainRig } from '../../testing/mainRig';
import { errorInfo, positionAt } from '../../testing/fakeTopics';
import { pick, seeded } from '../../testing/random';
import { pass, Recorder, watch } from '../../testing/tools';
import { Since } from '../../tokens';

const TOPIC = 'chat/a';

class Rig extends MainRig {
  /** Follow the topic with a new recorder, and let the answer come. */
  async follow(since: Since, topic = TOPIC): Promise<Recorder> {
    const recorder = new Recorder();
    this.main.subscribe(topic, recorder, since);
    await pass(10);
    return recorder;
  }

  /** Publish numbers, and let them arrive. */
  async publish(...numbers: number[]): Promise<void> {
    numbers.forEach(n => this.server.publish(TOPIC, n));
    await pass(10);
  }
}

const upTo = (last: number) => Array.from({ length: last }, (_, n) => n + 1);

let rig: Rig;

beforeEach(async () => {
  jest.useFakeTimers();
  rig = new Rig();
  await rig.connected();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('A subscriber', () => {
  it('is told what comes, in order, and when the replay is complete', async () => {
    await rig.publish(1, 2);
    const [all, news] = [
      await rig.follow('earliest'),
      await rig.follow('latest')
    ];
    await rig.publish(3);
    expect([all.data, news.data]).toEqual([[1, 2, 3], [3]]);
    expect([all.lives, news.lives]).toEqual([1, 1]);
    expect(all.snapshots).toEqual([]);
  });

  it('may start at a position', async () => {
    await rig.publish(1, 2, 3);
    const recorder = await rig.follow(positionAt('e1', 2));
    expect(recorder.data).toEqual([3]);
  });

  it('misses nothing and sees nothing twice over breaks', async () => {
    const recorder = await rig.follow('latest');
    for (let n = 1; n < 30; n += 3) {
      await rig.publish(n);
      rig.cut();
      await rig.publish(n + 1, n + 2);
      await rig.back();
    }
    await pass(10);
    expect(recorder.data).toEqual(upTo(30));
  });

  it('who came while the connection was away is served when it is back', async () => {
    await rig.publish(1);
    rig.cut();
    const recorder = new Recorder();
    rig.main.subscribe(TOPIC, recorder, 'earliest');
    await rig.back();
    await rig.publish(2);
    expect(recorder.data).toEqual([1, 2]);
  });

  it('of a topic without a log gets its state at the start and after each break', async () => {
    rig.server.topics.unlogged.set('status', ['a']);
    const recorder = await rig.follow('latest', 'status');
    rig.server.publish('status', 5);
    rig.server.topics.unlogged.set('status', ['b']);
    await pass(10);
    rig.cut();
    await rig.back();
    await pass(10);
    expect(recorder.snapshots).toEqual([
      { snapshot: ['a'], reason: null },
      { snapshot: ['b'], reason: null }
    ]);
    expect([recorder.data, recorder.lives]).toEqual([[5], 2]);
  });

  it('gets a snapshot when the log was replaced, and then its events, whose offsets begin anew', async () => {
    const recorder = await rig.follow('earliest');
    await rig.publish(...upTo(9));
    rig.cut();
    rig.server.topics.logs.set(TOPIC, { epoch: 'e2', floor: 0, events: [] });
    rig.server.topics.snapshots.set(TOPIC, 'all of it');
    rig.server.publish(TOPIC, 101);
    await rig.back();
    await rig.publish(102);
    expect(recorder.snapshots).toEqual([
      { snapshot: 'all of it', reason: 'epoch' }
    ]);
    expect(recorder.data).toEqual([...upTo(9), 102]);
  });

  it('who left is told nothing more, and the last one ends the subscription', async () => {
    const [a, b] = [new Recorder(), new Recorder()];
    const leave = [a, b].map(one => rig.main.subscribe(TOPIC, one, 'latest'));
    await pass(10);
    await rig.publish(1);
    leave[0]?.dispose();
    leave[0]?.dispose();
    await rig.publish(2);
    expect([a.data, b.data]).toEqual([[1], [1, 2]]);
    expect(rig.server.got('unsubscribe')).toHaveLength(0);
    leave[1]?.dispose();
    await rig.publish(3);
    expect(rig.server.got('unsubscribe')).toMatchObject([{ topic: TOPIC }]);
    expect([b.data, rig.main.subscriptions.topics]).toEqual([[1, 2], []]);
  });

  it('may leave while it is told', async () => {
    const [recorder, other] = [new Recorder(), new Recorder()];
    const leaving = Object.assign(recorder, {
      onEvent: () => subscription.dispose()
    });
    const subscription = rig.main.subscribe(TOPIC, leaving, 'latest');
    rig.main.subscribe(TOPIC, other, 'latest');
    await pass(10);
    await rig.publish(1, 2);
    expect(other.data).toEqual([1, 2]);
  });

  it('who is refused is told once, and may ask again', async () => {
    rig.server.topics.refused.set(TOPIC, errorInfo('forbidden'));
    const [a, b] = [await rig.follow('latest'), await rig.follow('latest')];
    expect([a, b].map(one => one.errors)).toMatchObject([
      [{ code: 'forbidden' }],
      [{ code: 'forbidden' }]
    ]);
    rig.server.topics.refused.clear();
    const c = await rig.follow('latest');
    await rig.publish(1);
    expect([a.data, c.data]).toEqual([[], [1]]);
  });

  it('who may no longer read is told at the resume', async () => {
    const recorder = await rig.follow('latest');
    rig.server.topics.refused.set(TOPIC, errorInfo('forbidden'));
    rig.cut();
    await rig.back();
    await rig.publish(1);
    expect(recorder.errors).toMatchObject([{ code: 'forbidden' }]);
    expect(recorder.data).toEqual([]);
  });

  it('that fails costs neither the others their events nor requests their answers', async () => {
    jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const [bad, good] = [new Recorder(), new Recorder()];
    const failing = Object.assign(bad, {
      onEvent: () => {
        throw new Error('A bug of another extension.');
      }
    });
    rig.main.subscribe(TOPIC, failing, 'latest');
    rig.main.subscribe(TOPIC, good, 'latest');
    rig.server.methods.set('files.list', () => new Promise(() => undefined));
    const end = watch(rig.main.request('files.list', {}));
    await pass(10);
    const event = rig.server.topics.append(TOPIC, 1, 'message');
    const ref = rig.server.calls[0]?.ref ?? 0;
    rig.server.give(rig.server.last, event, { type: 'reply', ref, result: 2 });
    // A browser reports what a listener throws and goes on; the clock of the tests throws it.
    await pass(10).catch(() => undefined);
    await pass(10);
    expect([good.data, end.value]).toEqual([[1], 2]);
  });
});

describe('Who comes late to a topic that others follow', () => {
  it('and asks for the past gets it, and the others see nothing twice', async () => {
    await rig.publish(1, 2);
    const first = await rig.follow('latest');
    await rig.publish(3, 4);
    const late = await rig.follow('earliest');
    const later = await rig.follow(positionAt('e1', 3));
    await rig.publish(5);
    expect(first.data).toEqual([3, 4, 5]);
    expect(late.data).toEqual([1, 2, 3, 4, 5]);
    expect(later.data).toEqual([4, 5]);
  });

  it('and asks for what is new does not make the server repeat anything', async () => {
    await rig.follow('earliest');
    await rig.publish(1, 2);
    const late = await rig.follow('latest');
    await rig.publish(3);
    expect(late.data).toEqual([3]);
    expect(rig.server.got('subscribe')).toHaveLength(1);
  });

  it('and asks for what is new takes nothing from who waits for the past', async () => {
    await rig.publish(1, 2);
    const [patient, late] = [new Recorder(), new Recorder()];
    rig.main.subscribe(TOPIC, patient, 'earliest');
    rig.main.subscribe(TOPIC, late, 'latest');
    await pass(10);
    await rig.publish(3);
    expect(patient.data).toEqual([1, 2, 3]);
    expect(late.data).toEqual([3]);
  });

  it('and names a position ahead of the others takes nothing from them', async () => {
    const first = await rig.follow('latest');
    rig.cut();
    await rig.publish(1, 2, 3);
    const late = new Recorder();
    rig.main.subscribe(TOPIC, late, positionAt('e1', 2));
    await rig.back();
    await pass(10);
    expect(late.data).toEqual([3]);
    expect(first.data).toEqual([1, 2, 3]);
  });

  it('and names a position in a log that was replaced is told of the reset', async () => {
    const first = await rig.follow('earliest');
    await rig.publish(1, 2);
    rig.server.topics.snapshots.set(TOPIC, 'all of it');
    const late = await rig.follow(positionAt('e0', 100));
    await rig.publish(3);
    expect(late.snapshots).toEqual([
      { snapshot: 'all of it', reason: 'epoch' }
    ]);
    expect([late.data, first.data]).toEqual([[3], [1, 2, 3]]);
  });

  it('at any time, with breaks at any time, sees each event once and in order', async () => {
    for (let seed = 1; seed <= 8; seed++) {
      rig = new Rig();
      await rig.connected();
      const random = seeded(seed);
      const followers: Array<{ since: number; recorder: Recorder }> = [];
      let last = 0;
      for (let step = 0; step < 60; step++) {
        const dice = pick(random, 8);
        if (dice === 0) {
          rig.cut();
        } else if (dice === 1 && followers.length < 6) {
          await rig.back();
          await pass(10);
          // What is new is asked for where the position is known; see the tests above.
          const since =
            followers.length === 0 || pick(random, 2) === 0 ? 0 : last;
          const recorder = await rig.follow(
            since === 0 ? 'earliest' : 'latest'
          );
          followers.push({ since, recorder });
        } else if (dice < 6) {
          rig.server.publish(TOPIC, ++last);
        } else {
          await pass(pick(random, 500));
        }
      }
      await rig.back();
      await pass(10);
      expect(followers.length).toBeGreaterThan(1);
      for (const { since, recorder } of followers) {
        expect([seed, since, recorder.data]).toEqual([
          seed,
          since,
          upTo(last).slice(since)
        ]);
      }
    }
  });
});
