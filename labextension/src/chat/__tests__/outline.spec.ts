import { blocksOf } from '../blocks';
import { colourOf, COLOURS, editsOf, initialsOf } from '../outline';
import { pick, seeded } from '../../testing/random';

describe('The edits from one list to another', () => {
  const apply = (old: string[], next: string[]) => {
    const list = [...old];
    const { remove, insert } = editsOf(old, next);
    remove.forEach(index => list.splice(index, 1));
    insert.forEach(({ at, from, to }) =>
      list.splice(at, 0, ...next.slice(from, to))
    );
    return list;
  };

  it('keep what stands in both', () => {
    expect(editsOf(['a', 'b', 'c'], ['x', 'y', 'a', 'c', 'd'])).toEqual({
      remove: [1],
      insert: [
        { at: 0, from: 0, to: 2 },
        { at: 4, from: 4, to: 5 }
      ]
    });
    expect(editsOf(['a'], ['a'])).toEqual({ remove: [], insert: [] });
  });

  it('give the other list, whatever both are', () => {
    const random = seeded(1);
    const list = () =>
      [...'abcdefgh']
        .map(id => [random(), id] as const)
        .sort(([a], [b]) => a - b)
        .slice(pick(random, 8))
        .map(([, id]) => id);
    for (let round = 0; round < 500; round++) {
      const [old, next] = [list(), list()];
      expect(apply(old, next)).toEqual(next);
    }
  });
});

describe('The blocks of a growing text', () => {
  it('are cut at blank lines, and add up to it', () => {
    const text = 'a\nb\n\nc\n\n- d\n\n  e\n\nf';
    expect(blocksOf(text)).toEqual([
      'a\nb\n\n',
      'c\n\n',
      '- d\n\n  e\n\n',
      'f'
    ]);
    expect(blocksOf('')).toEqual([]);
  });

  it('keep code together, also where it has not ended', () => {
    expect(blocksOf('a\n\n```py\nx\n\ny\n```\n\nb')).toEqual([
      'a\n\n',
      '```py\nx\n\ny\n```\n\n',
      'b'
    ]);
    expect(blocksOf('~~~~\na\n\n~~~\n\nb')).toEqual(['~~~~\na\n\n~~~\n\nb']);
  });

  it('do not change once another has begun', () => {
    const text =
      'One.\n\n```\ncode\n\nmore\n```\n\nTwo\n\n1. a\n\n   b\n2. c\n\nEnd';
    const whole = blocksOf(text);
    expect(whole.join('')).toBe(text);
    for (let end = 1; end <= text.length; end++) {
      const blocks = blocksOf(text.slice(0, end));
      expect(blocks.join('')).toBe(text.slice(0, end));
      expect(blocks.slice(0, -1)).toEqual(whole.slice(0, blocks.length - 1));
    }
  });
});

it('Avatars have letters and a colour', () => {
  expect(['Ada Lovelace', 'ada', '', 'Ärger Über Öl'].map(initialsOf)).toEqual([
    'AL',
    'A',
    '?',
    'ÄÖ'
  ]);
  expect(colourOf('ada')).toBe(colourOf('ada'));
  expect(colourOf('🙂')).toBeLessThan(COLOURS);
});
