import { Alarm } from '../alarm';

describe('An alarm', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('rings once, when it is time, and is not set any more then', () => {
    const alarm = new Alarm();
    const rung: boolean[] = [];
    alarm.set(100, () => rung.push(alarm.isSet));
    expect(alarm.isSet).toBe(true);
    jest.advanceTimersByTime(99);
    expect(rung).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(rung).toEqual([false]);
    expect(alarm.isSet).toBe(false);
  });

  it('does not ring when it was called off, or for a time that it was set for before', () => {
    const alarm = new Alarm();
    const rung: string[] = [];
    alarm.set(100, () => rung.push('called off'));
    alarm.stop();
    alarm.stop();
    expect(alarm.isSet).toBe(false);
    alarm.set(100, () => rung.push('before'));
    alarm.set(200, () => rung.push('after'));
    jest.advanceTimersByTime(1000);
    expect(rung).toEqual(['after']);
  });

  it('can be set anew while it rings', () => {
    const alarm = new Alarm();
    let rung = 0;
    const ring = () => {
      rung += 1;
      alarm.set(100, ring);
    };
    alarm.set(100, ring);
    jest.advanceTimersByTime(350);
    expect(rung).toBe(3);
    expect(alarm.isSet).toBe(true);
  });
});
