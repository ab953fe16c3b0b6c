import { ConnectionState } from '../../tokens';
import { TerminalSocket } from '../../connections/terminal';
import { CAPTION, FakeTab, FakeTracker } from '../../testing/fakeTabs';
import { statusOf } from '../../testing/stubs';
import { RECONNECTING, TabMarker } from '../marker';

const MARKED = 'Reconnecting…';

/** A socket of ours, as far as a tab's mark goes. */
function socketOf(id: string): TerminalSocket {
  return Object.create(TerminalSocket.prototype, {
    id: { value: id }
  }) as TerminalSocket;
}

let tracker: FakeTracker;
let marker: TabMarker;

const tell = (id: string, state: ConnectionState) =>
  marker.update(statusOf('terminal', id, { state }));

const isMarked = ({ title }: FakeTab) =>
  title.className.split(' ').includes(RECONNECTING);

beforeEach(() => {
  jest.useFakeTimers();
  tracker = new FakeTracker();
  marker = new TabMarker(tracker.asTracker, MARKED);
});

afterEach(() => {
  jest.useRealTimers();
});

describe('The tab of a terminal', () => {
  it('is marked when its connection is away for a second, until it is back', () => {
    const tab = tracker.add(new FakeTab('1'));
    tab.title.className = 'other';
    tell('1', 'reconnecting');
    jest.advanceTimersByTime(900);
    tell('1', 'reconnecting');
    expect(isMarked(tab)).toBe(false);
    jest.advanceTimersByTime(200);
    expect([isMarked(tab), tab.title.caption]).toEqual([true, MARKED]);
    tell('1', 'reconnecting');
    jest.advanceTimersByTime(5000);
    tell('1', 'connected');
    expect([tab.title.className, tab.title.caption]).toEqual([
      ...['other', CAPTION]
    ]);
  });

  it('does not blink when the cut is short', () => {
    const tab = tracker.add(new FakeTab('1'));
    let changes = 0;
    tab.title.changed.connect(() => (changes += 1));
    for (let n = 0; n < 10; n++) {
      tell('1', 'reconnecting');
      jest.advanceTimersByTime(900);
      tell('1', 'connected');
    }
    jest.advanceTimersByTime(5000);
    expect(changes).toBe(0);
  });

  it.each<ConnectionState>(['failed', 'idle', 'connected'])(
    'is not marked any more when the state is %s',
    state => {
      const tab = tracker.add(new FakeTab('1'));
      tell('1', 'reconnecting');
      jest.advanceTimersByTime(2000);
      tell('1', state);
      expect([isMarked(tab), jest.getTimerCount()]).toEqual([false, 0]);
    }
  );

  it('keeps a caption that it was given meanwhile', () => {
    const tab = tracker.add(new FakeTab('1'));
    tell('1', 'reconnecting');
    jest.advanceTimersByTime(2000);
    const caption = 'new';
    tab.title.caption = caption;
    tell('1', 'connected');
    expect(tab.title.caption).toBe(caption);
  });

  it('is that of the connection, where a terminal has two', () => {
    const tabs = ['1', '1 (2)'].map(id =>
      tracker.add(new FakeTab('1', socketOf(id)))
    );
    tell('1 (2)', 'reconnecting');
    jest.advanceTimersByTime(2000);
    expect(tabs.map(isMarked)).toEqual([false, true]);
  });

  it('may be closed meanwhile, and other services have no tabs', () => {
    const tab = tracker.add(new FakeTab('1'));
    marker.update(statusOf('main', null, { state: 'reconnecting' }));
    tell('2', 'reconnecting');
    tell('1', 'reconnecting');
    jest.advanceTimersByTime(2000);
    tab.dispose();
    tell('1', 'connected');
    tell('1', 'reconnecting');
    jest.advanceTimersByTime(2000);
    tell('1', 'idle');
    tell('2', 'idle');
    expect(jest.getTimerCount()).toBe(0);
  });
});
