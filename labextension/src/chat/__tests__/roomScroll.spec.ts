import {
  ChatConnections,
  FakeKeep,
  FakeRoom,
  turn
} from '../../testing/fakeChat';
import { FakeLayout, FakeResizeObserver } from '../../testing/fakeLayout';
import { Outbox } from '../outbox';
import { RoomModel } from '../roomModel';
import { MARKED_MS, RoomScroll } from '../roomScroll';

const LABEL = 'Messages';
let connections: ChatConnections;
let outbox: Outbox;
let room: FakeRoom;
let model: RoomModel;
let layout: FakeLayout;
let scroll: RoomScroll;
let seen: number[];

/** The list is drawn as the model is. */
async function draw(): Promise<void> {
  const ids = model.messages.map(({ id }) => id);
  layout.names
    .filter(name => !ids.includes(name))
    .forEach(name => layout.find(name).remove());
  const kept = layout.names;
  let next: string | null = null;
  for (const id of ids.reverse()) {
    if (!kept.includes(id)) {
      layout.add(id, 100, next);
    }
    next = id;
  }
  await turn();
}
const goTo = async (seq: number) => {
  void model.place.goTo(seq);
  await room.serve();
  await draw();
};

beforeEach(async () => {
  jest.useFakeTimers();
  window.ResizeObserver = FakeResizeObserver as never;
  connections = new ChatConnections();
  outbox = new Outbox(connections, new FakeKeep(), 'p');
  room = new FakeRoom(connections, 500);
  model = new RoomModel(connections, outbox, 'general', error => {
    throw error;
  });
  connections.live('chat/general');
  await room.serve();
  layout = new FakeLayout(400);
  await draw();
  seen = [];
  const holder = document.createElement('div');
  document.body.append(holder);
  scroll = new RoomScroll(holder, {
    ...{ model, onSeen: seq => seen.push(seq), onEnd: () => undefined },
    label: () => LABEL,
    labelOf: id => `Ada: ${id}`
  });
  holder.append(layout.node);
  await turn();
});

afterEach(() => {
  scroll.dispose();
  model.dispose();
  outbox.dispose();
  document.body.replaceChildren();
  jest.useRealTimers();
});

describe('A room in view', () => {
  it('is named, and seen to its end', () => {
    expect(layout.node.getAttribute('aria-label')).toBe(LABEL);
    expect([seen.pop(), layout.rest]).toEqual([500, 0]);
    room.say();
    expect(seen).toEqual([501]);
  });

  it('is not seen to its end in the past', async () => {
    seen.length = 0;
    await goTo(200);
    room.say();
    scroll.look();
    expect([seen, model.newest]).toEqual([[], 501]);
  });

  it('keeps few of the newest messages while the past is read', async () => {
    await goTo(200);
    for (let n = 0; n < 200; n++) {
      room.say();
    }
    scroll.toNewest();
    expect([model.messages.length, model.hasOlder]).toEqual([150, true]);
  });

  it('is not seen to its end by who goes to a message before it', async () => {
    seen.length = 0;
    room.messages.push({ ...room.messages[0]!, id: 'x', seq: 501 });
    void model.place.goTo(460);
    expect([seen, layout.place('m460')]).toEqual([[], 150]);
  });

  it('reads on at both ends of the past', async () => {
    await goTo(200);
    layout.wheel(-2500);
    expect(connections.asked('chat.history')).toMatchObject([{ before: 176 }]);
    await room.serve();
    await draw();
    layout.wheel(20_000);
    expect(connections.asked('chat.history')).toMatchObject([{ after: 225 }]);
  });
});

describe('A message that was looked for', () => {
  it('is in the middle, is marked for a moment, and has the focus', async () => {
    await goTo(200);
    const message = layout.find('m200');
    expect([layout.place('m200'), 'found' in message.dataset]).toEqual([
      150,
      true
    ]);
    expect(document.activeElement).toBe(message);
    expect(message.getAttribute('aria-label')).toBe('Ada: m200');
    expect(model.place.target).toBeNull();
    jest.advanceTimersByTime(MARKED_MS);
    expect('found' in message.dataset).toBe(false);
    expect(document.activeElement).toBe(message);
    layout.node.focus();
    expect(message.hasAttribute('tabindex')).toBe(false);
    expect(message.hasAttribute('role')).toBe(false);
  });

  it('is the only one that is marked', async () => {
    await goTo(200);
    await goTo(205);
    expect(layout.node.querySelectorAll('[data-found]')).toHaveLength(1);
  });

  it('is left for the newest one, where the keys scroll on', async () => {
    await goTo(200);
    scroll.toNewest();
    await draw();
    expect([model.isPast, layout.rest]).toEqual([false, 0]);
    expect(document.activeElement).toBe(layout.node);
    expect(seen.pop()).toBe(500);
  });
});
