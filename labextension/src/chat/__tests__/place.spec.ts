import { messageOf } from '../../testing/fakeChat';
import { RoomRig } from '../../testing/roomRig';
import { AROUND } from '../past';

let rig: RoomRig;

beforeEach(async () => {
  rig = new RoomRig(1000);
  await rig.ready();
});

afterEach(() => rig.dispose());

describe('A message of the past', () => {
  it('is shown with what is around it, instead of the newest ones', async () => {
    void rig.model.place.goTo(500);
    expect(rig.connections.asked('chat.history')).toEqual([
      { room: 'general', before: 501, limit: AROUND },
      { room: 'general', after: 500, limit: AROUND }
    ]);
    expect([rig.span(), rig.model.isPast]).toEqual([[951, 1000], false]);
    await rig.room.serve();
    expect([
      rig.span(),
      rig.model.isPast,
      rig.aimed(),
      rig.model.hasOlder
    ]).toEqual([[476, 525], true, 'm500', true]);
    expect([
      rig.model.newest,
      rig.model.get('m500')?.seq,
      rig.model.get('m1000')?.seq
    ]).toEqual([1000, 500, 1000]);
  });

  it('is looked at until it is said that it is', async () => {
    await rig.goTo(500);
    const { target } = rig.model.place;
    rig.model.place.reached({ id: 'm500' });
    expect(rig.aimed()).toBe('m500');
    rig.model.place.reached(target!);
    expect(rig.model.place.target).toBeNull();
  });

  it('is not read again where it is here', async () => {
    void rig.model.place.goTo(960);
    expect([
      rig.connections.asked('chat.history'),
      rig.aimed(),
      rig.model.isPast
    ]).toEqual([[], 'm960', false]);
    await rig.goTo(500);
    void rig.model.place.goTo(510);
    expect([
      rig.connections.asked('chat.history'),
      rig.aimed(),
      rig.span()
    ]).toEqual([[], 'm510', [476, 525]]);
    void rig.model.place.goTo(970);
    expect([rig.aimed(), rig.span(), rig.model.isPast]).toEqual([
      'm970',
      [951, 1000],
      false
    ]);
  });

  it('shows nothing else meanwhile where nothing is in view', async () => {
    void rig.model.place.goTo(500, true);
    expect([rig.model.messages, rig.model.isReady, rig.model.isPast]).toEqual([
      [],
      false,
      true
    ]);
    await rig.room.serve();
    expect([rig.span(), rig.model.isReady]).toEqual([[476, 525], true]);
  });

  it('is found while the room is still being opened', async () => {
    rig.reopen();
    void rig.model.place.goTo(500, true);
    await rig.ready();
    expect([rig.span(), rig.model.isReady, rig.model.newest]).toEqual([
      [476, 525],
      true,
      1000
    ]);
  });

  it('makes one list with the newest ones where it is next to them', async () => {
    await rig.goTo(930);
    expect([
      rig.span(),
      rig.model.isPast,
      rig.aimed(),
      rig.model.hasOlder
    ]).toEqual([[906, 1000], false, 'm930', true]);
  });

  it('is the first of all', async () => {
    await rig.goTo(1);
    expect([rig.span(), rig.aimed(), rig.model.hasOlder]).toEqual([
      [1, 26],
      'm1',
      false
    ]);
    void rig.model.loadOlder();
    expect(rig.connections.asked('chat.history')).toEqual([]);
  });

  it('is not there: the next one is', async () => {
    rig.room.messages.splice(499, 1);
    void rig.model.place.goTo(500);
    await rig.room.serve();
    expect(rig.aimed()).toBe('m501');
  });

  it('leaves all as it is where it cannot be read', async () => {
    for (const fresh of [false, true]) {
      void rig.model.place.goTo(500, fresh);
      await rig.connections.refuse('chat.history', new Error('No.'));
      rig.connections.requests.length = 0;
      expect([rig.span(), rig.model.isPast, rig.model.place.target]).toEqual([
        [951, 1000],
        false,
        null
      ]);
    }
    expect(rig.errors).toEqual(['No.', 'No.']);
  });

  it('is left for another one that is wanted meanwhile', async () => {
    void rig.model.place.goTo(500);
    void rig.model.place.goTo(300);
    await rig.room.serve();
    expect([rig.span(), rig.aimed()]).toEqual([[276, 325], 'm300']);
    void rig.model.place.goTo(500);
    rig.model.place.toNewest();
    await rig.room.serve();
    expect([rig.span(), rig.aimed()]).toEqual([[951, 1000], null]);
  });

  it('is found by its id', async () => {
    void rig.model.place.goToMessage('m960');
    expect(rig.connections.asked('chat.message')).toEqual([]);
    expect(rig.aimed()).toBe('m960');
    void rig.model.place.goToMessage('m500');
    expect(rig.connections.asked('chat.message')).toEqual([
      { room: 'general', id: 'm500' }
    ]);
    await rig.connections.answer('chat.message', messageOf(500));
    await rig.room.serve();
    expect([rig.span(), rig.aimed()]).toEqual([[476, 525], 'm500']);
  });

  it('that is not there any more is said to be so', async () => {
    void rig.model.place.goToMessage('m500');
    await rig.connections.refuse('chat.message', new Error('No such message.'));
    expect([rig.errors, rig.span()]).toEqual([
      ['No such message.'],
      [951, 1000]
    ]);
    void rig.model.place.goToMessage('m500');
    rig.model.place.toNewest();
    await rig.connections.refuse('chat.message', new Error('No such message.'));
    expect(rig.errors).toHaveLength(1);
  });

  it('is not gone to after dispose', async () => {
    void rig.model.place.goTo(500);
    rig.model.dispose();
    await rig.room.serve();
    expect([rig.model.isPast, rig.errors]).toEqual([false, []]);
  });
});
