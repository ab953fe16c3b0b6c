import { errorInfo } from '../../testing/fakeTopics';
import { MainRig } from '../../testing/mainRig';
import { pass, Recorder } from '../../testing/tools';

const TOPIC = 'chat/a';

let rig: MainRig;

beforeEach(async () => {
  jest.useFakeTimers();
  rig = await new MainRig().connected();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('A topic that the server cannot serve for a while', () => {
  const refuse = (retryAfterMs: number | null) =>
    rig.server.topics.refused.set(
      TOPIC,
      errorInfo('unavailable', {
        retryable: true,
        retry_after_ms: retryAfterMs
      })
    );

  it.each([
    ['when the server said', 7000, 7000],
    ['after two seconds, where it said nothing', null, 2000]
  ])('is asked for again %s', async (_, retryAfterMs, expected) => {
    refuse(retryAfterMs);
    const recorder = new Recorder();
    rig.main.subscribe(TOPIC, recorder, 'earliest');
    await pass(expected - 100);
    expect(rig.server.got('subscribe')).toHaveLength(1);
    rig.server.topics.refused.clear();
    rig.server.publish(TOPIC, 1);
    await pass(200);
    expect(rig.server.got('subscribe')).toHaveLength(2);
    expect([recorder.data, recorder.errors]).toEqual([[1], []]);
  });

  it('is not asked for when nobody follows it any more', async () => {
    refuse(1000);
    const subscription = rig.main.subscribe(TOPIC, new Recorder(), 'latest');
    await pass(100);
    subscription.dispose();
    await pass(60_000);
    expect(rig.server.got('subscribe')).toHaveLength(1);
  });

  it('is asked for once when the connection breaks meanwhile', async () => {
    refuse(5000);
    const recorder = new Recorder();
    rig.main.subscribe(TOPIC, recorder, 'earliest');
    await pass(100);
    rig.server.topics.refused.clear();
    rig.cut();
    await rig.back();
    rig.server.publish(TOPIC, 1);
    await pass(60_000);
    expect(rig.server.got('subscribe')).toHaveLength(2);
    expect(recorder.data).toEqual([1]);
  });
});
