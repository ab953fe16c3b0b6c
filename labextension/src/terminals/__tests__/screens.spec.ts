import { ScreenBook } from '../../connections/terminalScreen';
import { FakeTab, FakeTracker } from '../../testing/fakeTabs';
import { connectScreens } from '../screens';

const SOCKET = {} as WebSocket;
const OTHER = {} as WebSocket;

function connected() {
  const tracker = new FakeTracker();
  const book = new ScreenBook();
  connectScreens(tracker.asTracker, book);
  return { tracker, book };
}

describe("JupyterLab's terminal tabs", () => {
  it('are asked what they have parsed, behind everything that was written', () => {
    const { tracker, book } = connected();
    const tab = tracker.add(new FakeTab('1', SOCKET));
    let done = 0;
    book.find(SOCKET, '1')?.whenParsed(() => (done += 1));
    expect([tab.writes, done]).toEqual([[''], 0]);
    tab.waiting.forEach(one => one());
    expect(done).toBe(1);
  });

  it('of one terminal are told apart by their sockets', () => {
    const { tracker, book } = connected();
    const first = tracker.add(new FakeTab('1', OTHER));
    const second = tracker.add(new FakeTab('1', SOCKET));
    book.find(SOCKET, '1')?.whenParsed(() => undefined);
    expect([first.writes.length, second.writes.length]).toEqual([0, 1]);
    expect(book.find({} as WebSocket, '1')).toBeNull();
  });

  it('are found by name where JupyterLab has changed inside', () => {
    const { tracker, book } = connected();
    tracker.add(new FakeTab('1'));
    tracker.add(new FakeTab('2'));
    expect(book.find(SOCKET, '1')).not.toBeNull();
    expect(book.find(SOCKET, '3')).toBeNull();
  });

  it('that are closed are not asked', () => {
    const { tracker, book } = connected();
    tracker.add(new FakeTab('1', SOCKET)).dispose();
    expect(book.find(SOCKET, '1')).toBeNull();
  });

  it.each([
    ['is not there', undefined],
    ['is another one', { print: () => undefined }]
  ])('whose emulator %s are not waited for', async (_, emulator) => {
    const { tracker, book } = connected();
    const tab = tracker.add(new FakeTab('1', SOCKET));
    tab.content._term = emulator;
    await new Promise<void>(done =>
      book.find(SOCKET, '1')?.whenParsed(() => done())
    );
  });

  it('are asked when their emulator is loaded', async () => {
    const { tracker, book } = connected();
    const tab = tracker.add(new FakeTab('1', SOCKET));
    let load = () => undefined as void;
    tab.content._term = undefined;
    tab.content.ready = new Promise(resolve => (load = resolve));
    let done = 0;
    book.find(SOCKET, '1')?.whenParsed(() => (done += 1));
    await Promise.resolve();
    expect([tab.writes, done]).toEqual([[], 0]);
    tab.content._term = tab.emulator;
    load();
    await tab.content.ready;
    expect(tab.writes).toEqual(['']);
  });

  it('tell when they are shown and hidden', () => {
    const { tracker, book } = connected();
    let told = 0;
    book.changed.connect(() => (told += 1));
    const tab = tracker.add(new FakeTab('1', SOCKET));
    expect([told, book.find(SOCKET, '1')?.isVisible]).toEqual([1, false]);
    FakeTab.attach(tab, document.body);
    expect([told, book.find(SOCKET, '1')?.isVisible]).toEqual([2, true]);
    tab.hide();
    expect([told, book.find(SOCKET, '1')?.isVisible]).toEqual([3, false]);
    tab.show();
    expect([told, book.find(SOCKET, '1')?.isVisible]).toEqual([4, true]);
    FakeTab.detach(tab);
  });
});
