import { turn } from '../../testing/fakeChat';
import { FakeLayout, FakeResizeObserver } from '../../testing/fakeLayout';
import { ScrollKeeper } from '../scroll';

const HEIGHT = 400;
const MESSAGE = 100;
let layout: FakeLayout;
let keeper: ScrollKeeper;
let told: string[];
let found: string[];

const add = (from: number, to: number, before: string | null = null) => {
  for (let n = from; n <= to; n++) {
    layout.add(`m${n}`, MESSAGE, before);
  }
};
const reveal = (name: string) =>
  keeper.reveal(
    () => layout.node.querySelector(`[data-id=${name}]`)?.parentElement ?? null,
    () => found.push(name)
  );
const middle = (HEIGHT - MESSAGE) / 2;

beforeEach(() => {
  jest.useFakeTimers();
  jest.advanceTimersByTime(10_000);
  window.ResizeObserver = FakeResizeObserver as never;
  layout = new FakeLayout(HEIGHT);
  told = [];
  found = [];
  add(1, 20);
  keeper = new ScrollKeeper(layout.node, layout.list, {
    onTop: () => told.push('top'),
    onBottom: () => told.push('bottom'),
    onEnd: atEnd => told.push(atEnd ? 'end' : 'away')
  });
});

afterEach(() => {
  keeper.dispose();
  layout.node.remove();
  jest.useRealTimers();
});

describe('A list of messages', () => {
  it('stays at its end as it grows', async () => {
    expect([keeper.atEnd, layout.rest]).toEqual([true, 0]);
    add(21, 22);
    await turn();
    expect(layout.rest).toBe(0);
    layout.resize('m22', 300);
    expect(layout.rest).toBe(0);
  });

  it('stays where one reads, whatever comes above and below', async () => {
    layout.wheel(-550);
    expect([keeper.atEnd, told]).toEqual([false, ['away']]);
    const place = layout.place('m12');
    layout.add('m0', MESSAGE, 'm1');
    add(21, 22);
    await turn();
    layout.resize('m3', 300);
    expect(layout.place('m12')).toBe(place);
  });

  it('asks for older messages near its top, and is at its end again', () => {
    layout.wheel(-1500);
    expect(told).toEqual(['away', 'top']);
    layout.wheel(1500);
    expect([keeper.atEnd, told.slice(2)]).toEqual([true, ['end']]);
  });

  it('is not left by what somebody else scrolls', () => {
    layout.node.scrollTop = 100;
    layout.scrolled();
    expect([keeper.atEnd, layout.rest]).toEqual([true, 0]);
  });

  it('goes to its end', () => {
    layout.wheel(-700);
    keeper.toEnd();
    expect([keeper.atEnd, layout.rest]).toEqual([true, 0]);
  });

  it('stays at its end where another, shorter one comes in its place', async () => {
    layout.wheel(-700);
    keeper.toEnd();
    window.dispatchEvent(new Event('pointerup'));
    layout.names.slice(12).forEach(name => layout.find(name).remove());
    layout.scrolled();
    await turn();
    layout.scrolled();
    expect([keeper.atEnd, layout.rest]).toEqual([true, 0]);
  });

  it('does not ask for newer ones', () => {
    layout.wheel(-50);
    layout.wheel(50);
    expect(told).toEqual(['away', 'end']);
  });
});

describe('A list of the past', () => {
  beforeEach(() => {
    keeper.isPast = true;
    told.length = 0;
  });

  it('has no end that it stays at', async () => {
    expect(keeper.atEnd).toBe(false);
    layout.wheel(-200);
    layout.wheel(200);
    expect([keeper.atEnd, layout.rest]).toEqual([false, 0]);
    const place = layout.place('m18');
    add(21, 22);
    await turn();
    expect([layout.place('m18'), layout.rest]).toEqual([place, 200]);
  });

  it('asks for newer ones near its end, also where it cannot be scrolled on', async () => {
    layout.wheel(-600);
    expect(told).toEqual([]);
    layout.wheel(400);
    expect(told).toEqual(['bottom']);
    layout.wheel(200);
    told.length = 0;
    add(21, 21);
    await turn();
    expect(told).toEqual(['bottom']);
    add(22, 30);
    await turn();
    expect(told).toEqual(['bottom']);
  });

  it('keeps what is read in place when its other end is forgotten', async () => {
    layout.wheel(-600);
    const place = layout.place('m12');
    ['m1', 'm2', 'm3'].forEach(name => layout.find(name).remove());
    await turn();
    expect(layout.place('m12')).toBe(place);
  });

  it('that is short asks for more at both ends', async () => {
    ['m1', 'm20'].forEach(name => layout.resize(name, 10));
    [...layout.list.children].slice(3).forEach(message => message.remove());
    told.length = 0;
    await turn();
    expect(told).toEqual(['top', 'bottom']);
  });

  it('asks for nothing while it is not in view', async () => {
    layout.height = 0;
    FakeResizeObserver.tell();
    add(21, 22);
    await turn();
    expect(told).toEqual([]);
  });

  it('has an end again when it is one with the newest messages', () => {
    layout.wheel(-100);
    keeper.isPast = false;
    expect(keeper.atEnd).toBe(false);
    layout.wheel(100);
    expect([keeper.atEnd, told[told.length - 1]]).toEqual([true, 'end']);
  });
});

describe('A message that is to be looked at', () => {
  it('is looked at when the list is in view again', () => {
    layout.height = 0;
    reveal('m10');
    expect(found).toEqual([]);
    layout.height = HEIGHT;
    FakeResizeObserver.tell();
    expect([found, layout.place('m10')]).toEqual([['m10'], middle]);
  });

  it('is brought into the middle, once', () => {
    reveal('m10');
    expect([layout.place('m10'), keeper.atEnd, found]).toEqual([
      middle,
      false,
      ['m10']
    ]);
    layout.scrolled();
    expect(layout.place('m10')).toBe(middle);
  });

  it('is waited for until it is in the list', async () => {
    reveal('m25');
    expect([found, keeper.atEnd]).toEqual([[], true]);
    add(21, 30);
    await turn();
    expect([found, layout.place('m25')]).toEqual([['m25'], middle]);
  });

  it('is not waited for any more at the end', async () => {
    reveal('m25');
    keeper.toEnd();
    add(21, 30);
    await turn();
    expect([found, layout.rest]).toEqual([[], 0]);
  });

  it('stays in the middle while what is around it is drawn', async () => {
    ['m1', 'm2', 'm3'].forEach(name => layout.resize(name, 10));
    reveal('m2');
    expect(layout.place('m2')).toBe(10);
    layout.scrolled();
    layout.resize('m1', 500);
    layout.resize('m2', 200);
    layout.scrolled();
    expect(layout.place('m2')).toBe((HEIGHT - 200) / 2);
  });

  it('is seen from its beginning where it is higher than the view', () => {
    layout.resize('m10', 900);
    reveal('m10');
    expect(layout.place('m10')).toBe(0);
  });

  it('is left by who scrolls on', () => {
    reveal('m10');
    jest.advanceTimersByTime(100);
    layout.wheel(100);
    layout.resize('m1', 500);
    expect(layout.place('m10')).toBe(middle - 100);
  });

  it('stays where it is when all has been drawn', () => {
    reveal('m10');
    jest.advanceTimersByTime(5000);
    layout.resize('m1', 200);
    layout.resize('m10', 300);
    expect(layout.place('m10')).toBe(middle);
  });

  it('asks for newer ones only when it is found', async () => {
    keeper.isPast = true;
    told.length = 0;
    reveal('m25');
    expect(told).toEqual([]);
    add(21, 25);
    await turn();
    expect([found, told]).toEqual([['m25'], ['bottom']]);
  });
});
