import { answerOf, messageOf } from '../../testing/fakeChat';
import { RoomRig, TOPIC } from '../../testing/roomRig';
import { LONGEST, STEP } from '../past';

let rig: RoomRig;

beforeEach(async () => {
  rig = new RoomRig(1000);
  await rig.ready();
});

afterEach(() => rig.dispose());

describe('The past', () => {
  beforeEach(() => rig.goTo(500));

  it('is read on at both ends, one page at a time', async () => {
    void rig.model.loadOlder();
    void rig.model.loadOlder();
    void rig.model.place.loadNewer();
    expect(rig.connections.asked('chat.history')).toEqual([
      { room: 'general', before: 476, limit: STEP }
    ]);
    await rig.room.serve();
    expect(rig.span()).toEqual([426, 525]);
    void rig.model.place.loadNewer();
    expect(rig.connections.asked('chat.history')).toEqual([
      { room: 'general', after: 525, limit: STEP }
    ]);
    await rig.room.serve();
    expect(rig.span()).toEqual([426, 575]);
  });

  it('says that it could not be read on, and is read on then', async () => {
    void rig.model.place.loadNewer();
    await rig.connections.refuse('chat.history', new Error('No.'));
    expect(rig.errors).toEqual(['No.']);
    await rig.newer();
    expect(rig.span()).toEqual([476, 575]);
  });

  it('is not longer than anybody reads', async () => {
    for (let n = 0; n < 7; n++) {
      await rig.newer();
    }
    expect(rig.span()).toEqual([875 - LONGEST + 1, 875]);
    for (let n = 0; n < 4; n++) {
      await rig.older();
    }
    expect([rig.span(), rig.model.isPast]).toEqual([[376, 675], true]);
  });

  it('has its old end where that was forgotten', async () => {
    await rig.goTo(1);
    for (let n = 0; n < 6; n++) {
      await rig.newer();
    }
    expect([rig.span(), rig.model.hasOlder]).toEqual([[27, 326], true]);
  });

  it('ends at the newest messages, and is one with them', async () => {
    await rig.toPresent();
    expect(rig.span()).toEqual([676, 1000]);
    await rig.newer();
    rig.room.say();
    expect(rig.span()).toEqual([676, 1001]);
  });

  it('does not show what is said now, but has it when one comes back', async () => {
    rig.room.say();
    rig.room.say();
    expect([rig.span(), rig.model.newest]).toEqual([[476, 525], 1002]);
    rig.model.trim(20);
    rig.model.place.toNewest();
    expect([rig.span(), rig.aimed(), rig.model.hasOlder]).toEqual([
      [983, 1002],
      null,
      true
    ]);
  });

  it('shows what becomes of its own messages', async () => {
    rig.changes = 0;
    rig.room.change(500, { text: 'other' });
    expect([rig.model.get('m500')?.text, rig.changes]).toEqual(['other', 1]);
    rig.room.change(300, { text: 'unseen' });
    expect([rig.model.get('m300'), rig.changes]).toEqual([undefined, 1]);
  });

  it('shows a change that came while the page was read', async () => {
    void rig.model.place.loadNewer();
    const before = rig.room.page({ after: 525, limit: STEP });
    rig.room.change(530, { text: 'other' });
    await rig.connections.answer('chat.history', before);
    expect(rig.model.get('m530')?.text).toBe('other');
    void rig.model.place.goTo(100);
    const pages = rig.pages();
    rig.room.change(90, { text: 'another' });
    await rig.connections.answer('chat.history', pages[0]);
    await rig.connections.answer('chat.history', pages[1]);
    expect(rig.model.get('m90')?.text).toBe('another');
  });

  it('shows an answer that is still being written', async () => {
    const answer = answerOf();
    rig.room.change(510, { id: 'a', text: 'Hel', answer, version: 1 }, false);
    await rig.goTo(100);
    await rig.goTo(510);
    const streamed: string[] = [];
    rig.model.streamed.connect((_, id) => streamed.push(id));
    const delta = (at: number, text: string) =>
      rig.connections.happens(TOPIC, 'message.delta', {
        message: 'a',
        at,
        text
      });
    delta(3, 'lo');
    expect([rig.model.get('a')?.text, streamed]).toEqual(['Hello', ['a']]);
    delta(9, '!');
    expect(rig.connections.asked('chat.message')).toEqual([
      { room: 'general', id: 'a' }
    ]);
    const whole = messageOf(510, { id: 'a', text: 'Hello, Ada', answer });
    await rig.connections.answer('chat.message', whole);
    expect(rig.model.get('a')?.text).toBe('Hello, Ada');
  });

  it('does not show what is on its way, and what is sent brings one back', async () => {
    const draft = { text: 'Hi', replyTo: '', attachments: [], ask: [] };
    rig.outbox.add({ room: 'general', ...draft });
    expect(rig.model.outgoing).toEqual([]);
    rig.model.place.toNewest();
    expect([rig.model.outgoing.length, rig.span()]).toEqual([1, [951, 1000]]);
  });

  it('stays through a gap, and is read again', async () => {
    rig.room.change(500, { text: 'other' }, false);
    for (let n = 0; n < 300; n++) {
      rig.room.messages.push(messageOf(rig.room.messages.length + 1));
    }
    rig.reset();
    expect([rig.span(), rig.model.newest]).toEqual([[476, 525], 1300]);
    await rig.room.serve();
    expect([rig.span(), rig.model.get('m500')?.text, rig.model.isPast]).toEqual(
      [[476, 525], 'other', true]
    );
    await rig.toPresent();
    expect(rig.span()[1]).toBe(1300);
  });

  it('stays through a gap that comes while it is read', async () => {
    void rig.model.place.loadNewer();
    rig.reset();
    rig.room.change(500, { text: 'other' }, false);
    await rig.room.serve();
    expect([rig.span(), rig.model.get('m500')?.text]).toEqual([
      [476, 575],
      'other'
    ]);
    void rig.model.place.goTo(100, true);
    const pages = rig.pages();
    rig.reset();
    rig.room.change(90, { text: 'another' }, false);
    await rig.connections.answer('chat.history', pages[0]);
    await rig.connections.answer('chat.history', pages[1]);
    await rig.room.serve();
    expect([rig.span(), rig.model.get('m90')?.text]).toEqual([
      [76, 125],
      'another'
    ]);
  });

  it('stays through a gap without a snapshot', async () => {
    rig.connections.followers(TOPIC)[0]?.onSnapshot?.(null as never, 'epoch');
    expect(rig.model.isReady).toBe(true);
    rig.connections.live(TOPIC);
    await rig.room.serve();
    expect([rig.span(), rig.model.newest]).toEqual([[476, 525], 1000]);
  });

  it('is long, and is read again in pieces', async () => {
    for (let n = 0; n < 5; n++) {
      await rig.newer();
    }
    rig.reset();
    expect(rig.connections.asked('chat.history')).toEqual([
      { room: 'general', after: 475, limit: 200 }
    ]);
    await rig.room.serve();
    expect(rig.span()).toEqual([476, 775]);
  });

  it('is left where nothing of it is left', async () => {
    rig.room.messages = [];
    rig.reset();
    await rig.room.serve();
    expect([rig.model.messages, rig.model.isPast]).toEqual([[], false]);
  });

  it('is not joined by what comes before the newest messages do', async () => {
    // The page was offline, and is told of what it missed after it was answered.
    for (let n = 0; n < 300; n++) {
      rig.room.messages.push(messageOf(rig.room.messages.length + 1));
    }
    await rig.goTo(1200);
    expect([rig.span(), rig.model.isPast]).toEqual([[1176, 1225], true]);
    rig.room.messages
      .slice(1000)
      .forEach(message => rig.connections.happens(TOPIC, 'message', message));
    expect([rig.span(), rig.model.isPast]).toEqual([[951, 1300], false]);
  });
});
