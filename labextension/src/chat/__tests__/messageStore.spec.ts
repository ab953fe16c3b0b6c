import { answerOf, messageOf } from '../../testing/fakeChat';
import { pick, seeded } from '../../testing/random';
import { MessageStore } from '../messageStore';

let store: MessageStore;
const ids = () => store.messages.map(({ id }) => id);
const text = (id: string) => store.get(id)?.text;
const delta = (message: string, at: number, more: string) =>
  store.apply({ message, at, text: more });
const writing = (more = {}) =>
  messageOf(2, { id: 'a', text: '', answer: answerOf(), ...more });

beforeEach(() => {
  store = new MessageStore();
});

describe('Messages', () => {
  it('stand in the order of the room, however they come', () => {
    [3, 1, 2, 1].forEach(seq => store.put(messageOf(seq)));
    expect([ids(), store.oldest, store.newest]).toEqual([
      ['m1', 'm2', 'm3'],
      1,
      3
    ]);
  });

  it('are in the newest version, whichever comes last', () => {
    expect(store.put(messageOf(1, { version: 2, text: 'new' }))).toBe(true);
    expect(store.put(messageOf(1, { version: 1, text: 'old' }))).toBe(false);
    expect(text('m1')).toBe('new');
    expect(store.put(messageOf(1, { version: 3, deleted: true }))).toBe(true);
    expect(store.get('m1')?.deleted).toBe(true);
  });

  it('are others after a reset', () => {
    store.put(messageOf(1));
    store.reset([messageOf(7)]);
    expect(ids()).toEqual(['m7']);
  });

  it('are forgotten from the oldest on', () => {
    [1, 2, 3].forEach(seq => store.put(messageOf(seq)));
    expect([store.trim(3), store.trim(2), ids()]).toEqual([
      false,
      true,
      ['m2', 'm3']
    ]);
    store.dropBefore(3);
    expect(ids()).toEqual(['m3']);
  });

  it('are forgotten from the newest on', () => {
    [1, 2, 3].forEach(seq => store.put(messageOf(seq)));
    expect([store.trimNewest(3), store.trimNewest(2), ids()]).toEqual([
      false,
      true,
      ['m1', 'm2']
    ]);
  });

  it('are replaced by all that there are, in the newest state that is known', () => {
    [1, 2].forEach(seq => store.put(messageOf(seq)));
    store.put(messageOf(3, { version: 3, text: 'newer' }));
    store.replace([
      messageOf(2, { version: 2, text: 'new' }),
      messageOf(3, { version: 2, text: 'old' }),
      messageOf(4)
    ]);
    expect(ids()).toEqual(['m2', 'm3', 'm4']);
    expect([text('m2'), text('m3')]).toEqual(['new', 'newer']);
  });

  it('are none at first', () => {
    expect([store.oldest, store.newest]).toEqual([null, 0]);
  });
});

describe('Pieces of an answer', () => {
  it('are added where they belong, once', () => {
    store.put(writing());
    expect([
      delta('a', 0, 'Hel'),
      delta('a', 3, 'lo'),
      delta('a', 0, 'Hel'),
      delta('a', 3, 'lo')
    ]).toEqual(['applied', 'applied', 'known', 'known']);
    expect(text('a')).toBe('Hello');
  });

  it('are counted in UTF-16 units', () => {
    store.put(writing());
    delta('a', 0, '🙂é');
    expect([delta('a', 3, '!'), text('a')]).toEqual(['applied', '🙂é!']);
  });

  it('wait where one before them is missing, and that is told once', () => {
    store.put(writing());
    expect([delta('a', 3, 'lo'), delta('a', 5, '!')]).toEqual(['gap', 'known']);
    expect(text('a')).toBe('');
    store.put(writing({ text: 'Hel' }));
    expect(text('a')).toBe('Hello!');
  });

  it('of a message that is not there are a gap, and follow it', () => {
    expect(delta('a', 0, 'x')).toBe('gap');
    store.put(writing());
    expect(text('a')).toBe('x');
  });

  it('can be missed again after it was in vain to ask', () => {
    store.put(writing());
    expect(delta('a', 3, 'lo')).toBe('gap');
    store.giveUp('a');
    expect(delta('a', 5, '!')).toBe('gap');
  });

  it('add nothing to an answer that has ended', () => {
    store.put(writing());
    delta('a', 0, 'Hi');
    const answer = answerOf({ state: 'stopped' });
    store.put(writing({ text: 'Hi', answer, version: 2 }));
    expect([delta('a', 2, ' there'), text('a')]).toEqual(['known', 'Hi']);
  });

  it('are not taken back by an older state of the answer', () => {
    store.put(writing());
    delta('a', 0, 'Hello');
    expect([store.put(writing({ text: 'He' })), text('a')]).toEqual([
      false,
      'Hello'
    ]);
  });

  it('are replaced by the whole text when it ends', () => {
    store.put(writing());
    delta('a', 0, 'Hel');
    const answer = answerOf({ state: 'done' });
    store.put(writing({ text: 'Hello', answer }));
    expect([text('a'), store.get('a')?.answer?.state]).toEqual([
      'Hello',
      'done'
    ]);
  });

  it('are the text in any order and however often, with the message again in between', () => {
    const whole = 'The quick brown fox jumps 🙂 over the lazy dog';
    for (let round = 0; round < 200; round++) {
      store = new MessageStore();
      store.put(writing());
      const random = seeded(round);
      for (let step = 0; step < 60; step++) {
        const at = pick(random, Math.ceil(whole.length / 5)) * 5;
        if (delta('a', at, whole.slice(at, at + 5)) === 'gap') {
          store.put(writing({ text: whole.slice(0, at) }));
          store.giveUp('a');
        }
        expect(whole.startsWith(text('a') ?? '?')).toBe(true);
      }
      for (let at = 0; at < whole.length; at += 5) {
        delta('a', at, whole.slice(at, at + 5));
      }
      const had = text('a') ?? '';
      delta('a', had.length, whole.slice(had.length));
      expect(text('a')).toBe(whole);
    }
  });
});
